"""JSONPath, as printer columns use it: `.status.conditions[?(@.type=="Ready")].status`.

    .name ['name'] ["a","b"]   fields      [0] [-1] [1:3] [0,2]   elements      [*] .*   all of them
    ..name                     at any depth           [?(@.a.b == "x")]   elements for which it is true

Mirrors:  k8s.io/client-go/util/jsonpath
Left out: {range}, and text around expressions: a column has one path.
"""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

MOST_RESULTS, MOST_STEPS = 10_000, 50
_NAME = re.compile(r"(?:[^.\[\]\\\s'\"]|\\.)+")
_SLICE = re.compile(r"(-?\d{1,9})?:(-?\d{1,9})?(?::(-?\d{1,9}))?")
_FILTER = re.compile(r"\?\(\s*(@[^=!<>\s]*)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?))?\s*\)", re.DOTALL)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}
Step = Callable[[Any], Iterator[Any]]


class BadPath(ValueError):
    """The text is no path."""


@lru_cache(maxsize=2048)
def compiled(text: str) -> tuple[Step, ...]:
    """The steps of a path, with or without braces around it. Errors: BadPath."""
    path = text.strip().removeprefix("{").removesuffix("}").removeprefix("$")
    steps: list[Step] = []
    position = 0
    while position < len(path):
        if path.startswith("..", position):
            position += 2
            steps.append(_everywhere)
            if path.startswith("[", position):
                continue
        elif path[position] == ".":
            position += 1
            if position == len(path) or path[position] == "[":
                continue
        if path[position] == "[":
            end = _closing(path, position)
            steps.append(_bracket(path[position + 1 : end].strip()))
            position = end + 1
            continue
        found = _NAME.match(path, position)
        if found is None:
            raise BadPath(f"unrecognized character in path: {path[position:]}")
        steps.append(_all if found.group() == "*" else _field(re.sub(r"\\(.)", r"\1", found.group())))
        position = found.end()
    if len(steps) > MOST_STEPS:
        raise BadPath(f"a path of more than {MOST_STEPS} steps")
    return tuple(steps)


def find(text: str, value: Any) -> list[Any]:
    """What the path leads to in `value`, at most `MOST_RESULTS`; nothing if the text is no path."""
    try:
        steps = compiled(text)
    except BadPath:
        return []
    found = [value]
    for step in steps:
        found = _following(step, found)
    return found


def _following(step: Step, found: list[Any]) -> list[Any]:
    return list(islice((inner for each in found for inner in step(each)), MOST_RESULTS))


def _closing(path: str, start: int) -> int:
    """Where the bracket at `start` closes."""
    depth, quote, position = 0, "", start
    while position < len(path):
        char = path[position]
        if quote:
            if char == "\\":
                position += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    raise BadPath("unterminated array")


def _bracket(inside: str) -> Step:
    if inside == "*":
        return _all
    condition = _FILTER.fullmatch(inside)
    if condition is not None:
        return _filter(*condition.groups())
    part = _SLICE.fullmatch(inside)
    if part is not None:
        start, stop, step = (int(each) if each else None for each in part.groups())
        if step is not None and step <= 0:
            raise BadPath("step must be > 0")
        return lambda value: iter(value[start:stop:step] if isinstance(value, list) else ())
    steps = [_element(each.strip()) for each in _parts(inside)]
    return lambda value: (found for step in steps for found in step(value))


def _parts(inside: str) -> list[str]:
    return re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[^,]+", inside) or [inside]


def _element(text: str) -> Step:
    if re.fullmatch(r"-?\d{1,9}", text):
        number = int(text)
        return lambda value: iter(
            (value[number],) if isinstance(value, list) and -len(value) <= number < len(value) else ()
        )
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return _field(re.sub(r"\\(.)", r"\1", text[1:-1]))
    if not text or not _NAME.fullmatch(text):
        raise BadPath(f"invalid array index {text}")
    return _field(text)


def _field(name: str) -> Step:
    return lambda value: iter((value[name],) if isinstance(value, dict) and name in value else ())


def _all(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        return iter([value[key] for key in sorted(value)])
    return iter(value if isinstance(value, list) else ())


def _everywhere(value: Any) -> Iterator[Any]:
    yield value
    for inner in _all(value):
        yield from _everywhere(inner)


def _filter(left: str, operator: str | None, right: str | None) -> Step:
    steps = compiled(left.removeprefix("@"))

    def resolve(value: Any) -> list[Any]:
        found = [value]
        for step in steps:
            found = _following(step, found)
        return found

    if operator is None:
        return lambda value: (item for item in _all(value) if resolve(item))
    wanted = _literal(str(right))
    compare = _COMPARE[operator]

    def chosen(value: Any) -> Iterator[Any]:
        for item in value if isinstance(value, list) else ():
            found = resolve(item)
            if found and _same_kind(found[0], wanted) and compare(found[0], wanted):
                yield item

    return chosen


def _same_kind(a: Any, b: Any) -> bool:
    if isinstance(a, bool) or isinstance(b, bool):
        return isinstance(a, bool) and isinstance(b, bool)
    return (isinstance(a, str) and isinstance(b, str)) or (isinstance(a, (int, float)) and isinstance(b, (int, float)))


def _literal(text: str) -> Any:
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "'\"":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text in ("true", "false"):
        return text == "true"
    try:
        return int(text) if re.fullmatch(r"-?\d{1,18}", text) else float(text)
    except ValueError:
        raise BadPath(f"unrecognized value in filter: {text}") from None
