"""find: what is below a directory and passes an expression.

    [directories] -name '*.log' -type f ( -size +1k -o -empty ) ! -path '*/tmp/*' -exec cat {} ;

An expression is read into a tree of plain lists before anything is looked at: ["and", …], ["or", …], ["not", x],
["test", name, value], ["act", name, …]. Acts are collected and carried out when all has been walked through.

Mirrors:  busybox 1.37: findutils/find.c
Left out: -prune but for what -path and ! say, -user, -links, -regex, -ls.
"""

from typing import Any

from cluster.runtime.live import words
from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.commands.jobs import run_each
from cluster.runtime.live.files import DIRECTORY, Entry

TESTS = (
    "-name", "-iname", "-type", "-path", "-wholename", "-size", "-mmin", "-mtime", "-newer", "-perm", "-maxdepth",
    "-mindepth",
)  # fmt: skip
PRINTED = {"-print": "\n", "-print0": "\0"}
MAX_WORDS = 200
Tree = list[Any]


class _Reader:
    """The words of an expression. Errors: UsageError."""

    def __init__(self, given: list[str]) -> None:
        if len(given) > MAX_WORDS:
            raise UsageError(f"orrery: expressions of more than {MAX_WORDS} words are not read")
        self.words, self.acts, self.depth = given, False, 0

    def _take(self, *wanted: str) -> bool:
        found = bool(self.words) and self.words[0] in wanted
        if found:
            self.words.pop(0)
        return found

    def either(self) -> Tree:
        found = [self.both()]
        while self._take("-o", "-or"):
            found.append(self.both())
        return found[0] if len(found) == 1 else ["or", *found]

    def both(self) -> Tree:
        found = [self.single()]
        while self.words and self.words[0] not in ("-o", "-or", ")"):
            self._take("-a", "-and")
            found.append(self.single())
        return found[0] if len(found) == 1 else ["and", *found]

    def single(self) -> Tree:
        if not self.words:
            raise UsageError("missing argument")
        word = self.words.pop(0)
        if word in ("!", "-not"):
            return ["not", self.single()]
        if word == "(":
            inner = self.either()
            if not self._take(")"):
                raise UsageError("unpaired '('")
            return inner
        if word in ("-empty", "-true", "-false"):
            return ["test", word, ""]
        if word in TESTS:
            if not self.words:
                raise UsageError(f"{word} requires an argument")
            return ["test", word, self.words.pop(0)]
        if word in PRINTED or word in ("-delete", "-quit", "-exec", "-ok"):
            self.acts = self.acts or word != "-quit"
            return ["act", word, *(self.command() if word in ("-exec", "-ok") else ())]
        raise UsageError(f"unrecognized: {word}")

    def command(self) -> list[Any]:
        end = next((n for n, one in enumerate(self.words) if one in (";", "+")), None)
        if not end:
            raise UsageError("-exec requires an argument")
        found, self.words = self.words[: end + 1], self.words[end + 1 :]
        return [found[-1] == "+", found[:-1]]


class _Walk:
    """What one call finds. `runs`: command lines; `together`: those of `-exec … +`, and what they get."""

    def __init__(self, call: Call) -> None:
        self.call, self.out, self.deleted, self.over = call, list[str](), list[str](), False
        self.runs, self.together = list[list[str]](), dict[str, tuple[list[str], list[str]]]()

    def passes(self, tree: Tree, path: str, shown: str, depth: int, entry: Entry) -> bool:
        kind = tree[0]
        if kind == "and":
            return all(self.passes(one, path, shown, depth, entry) for one in tree[1:])
        if kind == "or":
            return any(self.passes(one, path, shown, depth, entry) for one in tree[1:])
        if kind == "not":
            return not self.passes(tree[1], path, shown, depth, entry)
        if kind == "test":
            return self.test(tree[1], tree[2], path, shown, depth, entry)
        if tree[1] in PRINTED:
            self.out.append(shown + PRINTED[tree[1]])
        elif tree[1] == "-delete":
            self.deleted.append(path)
        elif tree[1] == "-quit":
            self.over = True  # At once: nothing behind it is looked at.
            return False
        elif tree[2]:
            command = [one for one in tree[3] if one != "{}"]
            self.together.setdefault("\0".join(command), (command, []))[1].append(shown)
        else:
            self.runs.append([word.replace("{}", shown) for word in tree[3]])
        return True

    def test(self, test: str, value: str, path: str, shown: str, depth: int, entry: Entry) -> bool:
        call, name = self.call, path.rpartition("/")[2]
        if test in ("-true", "-false", "-maxdepth"):
            return test != "-false" and (test == "-true" or depth <= number(value, 999))
        if test == "-mindepth":
            return depth >= number(value)
        if test == "-type":
            return entry.kind in value.split(",")
        if test == "-empty":
            return not (call.files.listing(path) if entry.kind == DIRECTORY else entry.size)
        if test == "-perm":
            wanted = int(value.lstrip("-/"), 8) if value.lstrip("-/").isdigit() and len(value) < 6 else 0
            common = entry.mode & wanted
            return (
                entry.mode == wanted if value[:1] not in "-/" else common == wanted if value[0] == "-" else common > 0
            )
        if test == "-newer":
            other = call.files.stat(call.path(value))
            return other is not None and entry.changed > other.changed
        if test in ("-mmin", "-mtime"):
            return _amount((call.now - entry.changed) // (60_000_000 if test == "-mmin" else 86_400_000_000), value)
        if test == "-size":
            unit = {"c": 1, "k": 1024, "M": 1 << 20, "G": 1 << 30}.get(value[-1:], 512)
            return _amount(-(-entry.size // unit), value.rstrip("ckMGbw"))
        text = {"-path": shown, "-wholename": shown, "-iname": name.lower()}.get(test, name)
        return words.matches(words.pattern([(value.lower() if test == "-iname" else value, False)]), text)


def _amount(figure: int, wanted: str) -> bool:
    """`+5`: more, `-5`: less, `5`: just so."""
    limit = number(wanted.lstrip("+-"))
    return figure > limit if wanted[:1] == "+" else figure < limit if wanted[:1] == "-" else figure == limit


def find(call: Call) -> int:
    if "todo" in call.local:
        return run_each(call, [])
    names, given = list[str](), list(call.args)
    while given and given[0][:1] not in ("-", "!", "("):
        names.append(given.pop(0))
    reader = _Reader(given)
    tree = reader.either() if given else ["test", "-true", ""]
    if reader.words:
        raise UsageError("unpaired ')'")
    walk = _Walk(call)
    for name in names or ["."]:
        _below(walk, name, tree if reader.acts else ["and", tree, ["act", "-print"]])
    call.out("".join(walk.out))
    for path in sorted(walk.deleted, reverse=True):
        call.files.remove(path)
    lines = walk.runs + [[*command, *found] for command, found in walk.together.values()]
    return run_each(call, lines) if lines else call.code


def _below(walk: _Walk, name: str, tree: Tree) -> None:
    call = walk.call
    base = call.path(name)
    if call.files.stat(base) is None:
        call.failed(f"{name}: No such file or directory")
    for path in call.files.walk(base):
        if walk.over:
            return
        rest = path[len(base) :].strip("/")
        shown = name if not rest else f"{name.rstrip('/')}/{rest}" if name != "/" else f"/{rest}"
        entry = call.files.stat(path, follow=False)
        if entry is not None:
            walk.passes(tree, path, shown, rest.count("/") + 1 if rest else 0, entry)


FIND = {"find": find}
