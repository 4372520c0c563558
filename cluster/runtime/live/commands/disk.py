"""Commands about files: ls, touch, mkdir, rm, cp, mv, ln, chmod, du, stat, readlink, basename, test, mktemp, …

Mirrors:  busybox 1.37: coreutils/
Left out: owners and groups (everybody is root), access times, special files.
"""

import re
import stat as permissions

from cluster.runtime import noise
from cluster.runtime.live.commands.call import Call, UsageError, number
from cluster.runtime.live.files import DIRECTORY, LINK, MAX_BYTES, Entry, FileError, join, normal
from cluster.runtime.programs import arithmetic

KIND_BITS = {DIRECTORY: permissions.S_IFDIR, LINK: permissions.S_IFLNK}
BLOCK = 4096


def mode_text(entry: Entry) -> str:
    """
    >>> mode_text(Entry("d", 0o755, 0)), mode_text(Entry("f", 0o640, 0))
    ('drwxr-xr-x', '-rw-r-----')
    """
    return permissions.filemode(KIND_BITS.get(entry.kind, permissions.S_IFREG) | entry.mode)


def size_text(size: int) -> str:
    """As `-h` shows it."""
    for unit in ("", "K", "M", "G"):
        if size < 1024 or unit == "G":
            return f"{size}{unit}"
        size = -(-size // 102.4) / 10 if size < 10 * 1024 else -(-size // 1024)  # type: ignore[assignment]
    return str(size)


def ls(call: Call) -> int:
    options, names = call.options("alAhtrSR1dFpixnsQ", "", ("color", "all"))
    files, directories = [], []
    for name in names or ["."]:
        try:
            entry = call.files.stat(call.path(name), follow="l" not in options)
        except FileError as error:
            call.failed(f"{name}: {error}")
            continue
        if entry is None:
            call.failed(f"{name}: No such file or directory")
        elif entry.kind == DIRECTORY and "d" not in options:
            directories.append(name)
        else:
            files.append((name, entry))
    if files:
        call.out(_rows(call, files, options))
    titled = len(files) + len(directories) > 1 or "R" in options
    while directories:
        name = directories.pop(0)
        path = call.path(name)
        entries = [(one, call.files.stat(join(path, one), follow=False)) for one in call.files.listing(path)]
        shown = [
            (one, entry) for one, entry in entries if entry and (one[0] != "." or "a" in options or "A" in options)
        ]
        if titled:
            call.out(f"{name}:\n")
        if "a" in options or "all" in options:
            here = Entry(DIRECTORY, 0o755, 0)
            shown = [(".", here), ("..", here), *shown]
        if "l" in options:
            call.out(f"total {sum(_blocks(entry) for _, entry in shown)}\n")
        call.out(_rows(call, shown, options))
        if "R" in options:
            below = [join(name, one) for one, entry in shown if entry.kind == DIRECTORY and one not in (".", "..")]
            directories = below + directories
        if titled and directories:
            call.out("\n")
    return call.code


def _blocks(entry: Entry) -> int:
    return 4 if entry.kind == DIRECTORY else 0 if entry.kind == LINK else entry.blocks * 4


def _rows(call: Call, entries: list[tuple[str, Entry]], options: dict[str, str]) -> str:
    if "t" in options:
        entries = sorted(entries, key=lambda one: -one[1].changed)
    if "S" in options:
        entries = sorted(entries, key=lambda one: -one[1].size)
    if "r" in options:
        entries = entries[::-1]
    marks = {DIRECTORY: "/", LINK: "@"} if "F" in options else {DIRECTORY: "/"} if "p" in options else {}
    if "l" not in options and "n" not in options:
        names = [name + marks.get(entry.kind, "") for name, entry in entries]
        if call.proc["fds"].get("1", [""])[0] == "tty" and "1" not in options:
            return _columns(names, (call.kernel.state["tty"] or {}).get("columns", 80))
        return "".join(f"{name}\n" for name in names)
    rows = []
    for name, entry in entries:
        size = BLOCK if entry.kind == DIRECTORY else entry.size
        shown = size_text(size) if "h" in options else str(size)
        moment = call.date_of(entry.changed)
        arrow = f" -> {entry.content}" if entry.kind == LINK else ""
        links = 2 if entry.kind == DIRECTORY else 1
        rows.append(
            f"{mode_text(entry)} {links:4d} root     root     {shown:>9} {moment:%b} {moment.day:2d} {moment:%H:%M}"
            f" {name}{arrow}{marks.get(entry.kind, '')}\n"
        )
    return "".join(rows)


def _columns(names: list[str], width: int) -> str:
    if not names:
        return ""
    broad = max(len(name) for name in names) + 2
    count = max(width // broad, 1)
    rows = -(-len(names) // count)
    lines = ["".join(name.ljust(broad) for name in names[row::rows]).rstrip() for row in range(rows)]
    return "".join(f"{line}\n" for line in lines)


def touch(call: Call) -> int:
    for name in call.options("camh", "tdr")[1]:
        try:
            call.files.touch(call.path(name))
        except FileError as error:
            call.failed(f"{name}: {error}")
    return call.code


def mkdir(call: Call) -> int:
    options, names = call.options("pv", "m")
    for name in names:
        try:
            call.files.mkdir(
                call.path(name), "p" in options, int(options["m"], 8) & 0o777 if _octal(options) else 0o755
            )
        except FileError as error:
            call.failed(f"can't create directory '{name}': {error}")
    return call.code


def _octal(options: dict[str, str]) -> bool:
    text = options.get("m", "")
    return bool(text) and len(text) < 6 and all(one in "01234567" for one in text)


def rm(call: Call) -> int:
    options, names = call.options("rRfiv")
    for name in names:
        path = call.path(name)
        entry = call.files.stat(path, follow=False)
        if entry is None:
            if "f" not in options:
                call.failed(f"can't remove '{name}': No such file or directory")
        elif entry.kind == DIRECTORY and "r" not in options and "R" not in options:
            call.failed(f"'{name}' is a directory")
        else:
            try:
                call.files.remove(path)
            except FileError as error:
                call.failed(f"can't remove '{name}': {error}")
    return call.code


def rmdir(call: Call) -> int:
    for name in call.options("p")[1]:
        path = call.path(name)
        try:
            if call.files.listing(path):
                call.failed(f"'{name}': Directory not empty")
            else:
                call.files.remove(path)
        except FileError as error:
            call.failed(f"'{name}': {error}")
    return call.code


def _target(call: Call, source: str, target: str) -> str:
    path = call.path(target)
    return join(path, normal("/" + source).rpartition("/")[2]) if call.files.is_directory(path) else path


def cp(call: Call) -> int:
    options, names = call.options("rRafpvdLP")
    if len(names) < 2:
        raise UsageError("missing file operand")
    *sources, target = names
    if len(sources) > 1 and not call.files.is_directory(call.path(target)):
        return call.failed(f"target '{target}' is not a directory")
    for source in sources:
        path = call.path(source)
        entry = call.files.stat(path)
        if entry is None:
            call.failed(f"can't stat '{source}': No such file or directory")
            continue
        if entry.kind == DIRECTORY and not {"r", "R", "a"} & options.keys():
            call.failed(f"omitting directory '{source}'")
            continue
        try:
            _copy(call, path, _target(call, source, target))
        except FileError as error:
            call.failed(f"can't create '{target}': {error}")
    return call.code


def _copy(call: Call, source: str, target: str) -> None:
    for path in call.files.walk(source):
        entry, to = call.files.stat(path), target + path[len(source) :]
        if entry is None:
            continue
        if entry.kind == DIRECTORY:
            call.files.mkdir(to, parents=True)
        else:
            call.files.write(to, entry.content, mode=entry.mode)


def mv(call: Call) -> int:
    names = call.options("fivn")[1]
    if len(names) < 2:
        raise UsageError("missing file operand")
    *sources, target = names
    for source in sources:
        path = call.path(source)
        to = _target(call, source, target)
        if call.files.stat(path, follow=False) is None:
            call.failed(f"can't rename '{source}': No such file or directory")
        elif to == path or to.startswith(path + "/"):
            call.failed(f"can't rename '{source}': Invalid argument")
        else:
            try:
                call.files.move(path, to)
            except FileError as error:
                call.failed(f"can't rename '{source}': {error}")
    return call.code


def ln(call: Call) -> int:
    options, names = call.options("sfnv")
    if len(names) != 2:
        raise UsageError("missing file operand")
    path = _target(call, names[0], names[1])
    try:
        if "f" in options and call.files.stat(path, follow=False) is not None:
            call.files.remove(path)
        if "s" in options:
            call.files.link(path, names[0])
        else:
            call.files.write(path, call.files.read(call.path(names[0])))
    except FileError as error:
        return call.failed(f"{names[1]}: {error}")
    return 0


def chmod(call: Call) -> int:
    """Octal modes, and letters like `+x`."""
    options = [word for word in call.args if word in ("-R", "-v", "-f")]
    names = [word for word in call.args if word not in options]
    if len(names) < 2:
        raise UsageError("missing operand")
    for name in names[1:]:
        path = call.path(name)
        for one in call.files.walk(path) if "-R" in options else [path]:
            entry = call.files.stat(one)
            mode = _mode(names[0], entry.mode if entry else 0)
            if mode is None:
                return call.failed(f"invalid mode '{names[0]}'")
            try:
                call.files.chmod(one, mode)
            except FileError as error:
                call.failed(f"{name}: {error}")
    return call.code


def _mode(text: str, before: int) -> int | None:
    if text.isdigit():
        return int(text, 8) & 0o7777 if len(text) < 6 and all(one in "01234567" for one in text) else None
    for change in text.split(","):
        place = next((n for n, one in enumerate(change) if one in "+-="), -1)
        if place < 0 or any(one not in "ugoa" for one in change[:place]):
            return None
        bits = sum({"r": 0o444, "w": 0o222, "x": 0o111}.get(one, 0) for one in set(change[place + 1 :]))
        who = {"u": 0o700, "g": 0o070, "o": 0o007}
        mask = 0o777 if not change[:place] or "a" in change[:place] else sum(who[one] for one in set(change[:place]))
        bits &= mask
        before = {"+": before | bits, "-": before & ~bits, "=": (before & ~mask) | bits}[change[place]]
    return before


def mktemp(call: Call) -> int:
    options, names = call.options("dqut", "p")
    template = names[0] if names else "tmp.XXXXXX"
    if not template.endswith("XXXXXX"):
        return call.failed(f"Invalid argument: {template}")
    where = options.get("p") or (call.env.get("TMPDIR", "/tmp") if not names or "t" in options else "")
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for attempt in range(100):
        drawn = noise.mix(call.kernel.container.process.seed, call.now, call.proc["pid"], attempt)
        suffix = "".join(letters[drawn >> 6 * n & 63 if drawn >> 6 * n & 63 < 62 else n] for n in range(6))
        name = join(where, template[:-6] + suffix) if where else template[:-6] + suffix
        if call.files.stat(call.path(name)) is None:
            break
    if "u" not in options:
        if "d" in options:
            call.files.mkdir(call.path(name))
        else:
            call.files.write(call.path(name), "")
    call.out(f"{name}\n")
    return 0


def truncate(call: Call) -> int:
    options, names = call.options("c", "s")
    match = re.fullmatch(r"([-+]?)(\d{1,12})([kKmMgG]?)", options.get("s", ""))
    if match is None or not names:
        raise UsageError("you must specify -s SIZE and FILE")
    size = int(match[2]) * {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}[match[3].lower()]
    for name in names:
        entry = call.files.stat(call.path(name))
        before = entry.content if entry is not None else ""
        length = {"+": len(before) + size, "-": max(len(before) - size, 0)}.get(match[1], size)
        if length > MAX_BYTES:
            return call.failed(f"{name}: File too large")
        call.files.write(call.path(name), before[:length].ljust(length, "\0"))
    return 0


def install(call: Call) -> int:
    """install -d directories; install [-m mode] file target."""
    options, names = call.options("dDpcs", "mog")
    if "d" in options:
        for name in names:
            call.files.mkdir(call.path(name), parents=True)
        return 0
    if len(names) < 2:
        raise UsageError("missing operand")
    for name in names[:-1]:
        target = _target(call, name, names[-1])
        _copy(call, call.path(name), target)
        call.files.chmod(target, _mode(options.get("m", "755"), 0o644) or 0o755)
    return call.code


def du(call: Call) -> int:
    options, names = call.options("shakmc", "d")
    for name in names or ["."]:
        base = call.path(name)
        if call.files.stat(base) is None:
            call.failed(f"{name}: No such file or directory")
            continue
        paths = call.files.walk(base)
        for path in reversed(paths):
            entry = call.files.stat(path, follow=False)
            if path != base and ("s" in options or (entry and entry.kind != DIRECTORY and "a" not in options)):
                continue
            below = [call.files.stat(one, follow=False) for one in paths if one == path or one.startswith(path + "/")]
            size = sum(_blocks(one) for one in below if one is not None)
            shown = size_text(size * 1024) if "h" in options else str(size)
            rest = path[len(base) :]
            call.out(f"{shown}\t{name.rstrip('/') + rest if rest else name}\n")
    return call.code


def stat(call: Call) -> int:
    options, names = call.options("L", "c")
    for name in names:
        entry = call.files.stat(call.path(name), follow="L" in options)
        if entry is None:
            call.failed(f"can't stat '{name}': No such file or directory")
            continue
        size = BLOCK if entry.kind == DIRECTORY else entry.size
        if "c" in options:
            values = {"%s": str(size), "%n": name, "%a": f"{entry.mode:o}", "%A": mode_text(entry), "%U": "root"}
            text = options["c"]
            for key, value in values.items():
                text = text.replace(key, value)
            call.out(f"{text}\n")
            continue
        kind = {DIRECTORY: "directory", LINK: "symbolic link"}.get(entry.kind, "regular file")
        moment = f"{call.date_of(entry.changed):%Y-%m-%d %H:%M:%S.%f}000 +0000"
        call.out(
            f"  File: {name}\n  Size: {size}\t\tBlocks: {_blocks(entry) * 2}\t IO Block: {BLOCK}   {kind}\n"
            f"Access: ({entry.mode:04o}/{mode_text(entry)})  Uid: (    0/    root)   Gid: (    0/    root)\n"
            f"Modify: {moment}\n"
        )
    return call.code


def readlink(call: Call) -> int:
    options, names = call.options("fnev")
    for name in names:
        entry = call.files.stat(call.path(name), follow=False)
        if "f" in options or call.name == "realpath":
            call.out(call.files.resolve(call.path(name)) + "\n")
        elif entry is not None and entry.kind == LINK:
            call.out(entry.content + "\n")
        else:
            return 1
    return 0


def basename(call: Call) -> int:
    """basename, dirname."""
    if not call.args:
        raise UsageError("missing operand")
    path = call.args[0].rstrip("/") or "/"
    directory, slash, name = path.rpartition("/")
    if call.name == "dirname":
        call.out((directory or ("/" if slash else ".")) + "\n")
    else:
        suffix = call.args[1] if len(call.args) > 1 else ""
        call.out((name.removesuffix(suffix) if suffix and name != suffix else name or "/") + "\n")
    return 0


SIZE = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def fallocate(call: Call) -> int:
    """fallocate -l SIZE FILE: room for a file, at once."""
    options, names = call.options("n", "lo")
    match = re.fullmatch(r"(\d{1,15})([KMGT]?)(?:i?B)?", options.get("l", "").upper().replace("IB", ""))
    if len(names) != 1 or match is None or not int(match[1]):
        return call.failed("invalid number" if names and "l" in options else "no length argument specified")
    try:
        call.files.allocate(call.path(names[0]), int(match[1]) * SIZE[match[2]])
    except FileError as error:
        return call.failed(f"{names[0]}: {error}")
    return 0


def test(call: Call) -> int:
    args = list(call.args)
    if call.name == "[":
        if args[-1:] != ["]"]:
            return call.failed("missing ]", 2)
        args.pop()
    return int(not _holds(call, args[:100]))




def _holds(call: Call, args: list[str]) -> bool:
    if len(args) > 3 or (len(args) == 3 and args[1] in ("-a", "-o")):
        for joint, combine in (("-o", any), ("-a", all)):
            if joint in args[1:-1]:
                at = args.index(joint, 1)
                return combine((_holds(call, args[:at]), _holds(call, args[at + 1 :])))
    if args[:1] == ["!"] and len(args) > 1:
        return not _holds(call, args[1:])
    if len(args) == 2:
        return _is(call, *args)
    if len(args) == 3:
        left, operator, right = args
        if operator in ("=", "==", "!="):
            return (left == right) != (operator == "!=")
        if operator in ("<", ">"):
            return left < right if operator == "<" else left > right
        if operator in ("-nt", "-ot"):
            ages = [entry.changed if (entry := call.files.stat(call.path(name))) else -1 for name in (left, right)]
            return ages[0] > ages[1] if operator == "-nt" else ages[0] < ages[1]
        compare = arithmetic.COMPARISONS.get(operator)
        if compare is None or any(not word.lstrip("-+").isdigit() for word in (left, right)):
            call.failed(
                f"{operator if compare is None else right}: {'unknown operand' if compare is None else 'bad number'}", 2
            )
            return False
        return compare(number(left), number(right))
    return len(args) == 1 and bool(args[0])


def _is(call: Call, operator: str, text: str) -> bool:
    if operator in ("-z", "-n"):
        return bool(text) == (operator == "-n")
    if operator == "-t":
        return call.proc["fds"].get(text, [""])[0] == "tty"
    path = call.path(text)
    entry = call.files.stat(path, follow=operator not in ("-L", "-h"))
    if operator in ("-L", "-h"):
        return entry is not None and entry.kind == LINK
    if entry is None:
        return False
    if operator == "-f":
        return entry.kind == "f"
    if operator == "-d":
        return entry.kind == DIRECTORY
    if operator == "-s":
        return bool(entry.size) or entry.kind == DIRECTORY
    if operator == "-x":
        return bool(entry.mode & 0o111)
    return operator in ("-e", "-r", "-w")


DISK = {
    "ls": ls, "touch": touch, "mkdir": mkdir, "rm": rm, "rmdir": rmdir, "cp": cp, "mv": mv, "ln": ln, "chmod": chmod,
    "du": du, "stat": stat, "readlink": readlink, "realpath": readlink, "basename": basename,
    "dirname": basename, "test": test, "[": test, "mktemp": mktemp, "truncate": truncate, "install": install,
    "fallocate": fallocate,
}  # fmt: skip
