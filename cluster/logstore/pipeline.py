"""What stands behind a `|` in LogQL: parsers, tests of labels, and what makes other lines or labels of them.

    json, logfmt, regexp, pattern       find labels in a line; one that the stream has already becomes `…_extracted`
    status >= 500 and path =~ "/a.*"    test labels: as text, number, duration or size
    line_format, label_format           write anew, with `{{.label}}` and `{{__line__}}`
    drop, keep, unwrap                  take labels away; make a number of one, for aggregate.py

What can't be read is no reason to lose a line: it gets the label `__error__`, as Loki does it.

Source:   https://grafana.com/docs/loki/latest/query/log_queries/#parser-expression
Mirrors:  grafana/loki pkg/logql/log (parser.go, label_filter.go, fmt.go, labels.go)
Left out: see logql.py; matchers in drop and keep; duration and bytes inside of label_format's templates.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from cluster.logstore.tokens import BadQuery, Tokens, compiled, escaped

Test = Callable[[str], bool]
LONGEST = 256 * 1024  # Characters that a template may write, as many as Loki takes of a line.
SIGNS = ("=", "!=", "=~", "!~", "==", ">", ">=", "<", "<=")
SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0,
    "y": 31536000.0,
}  # fmt: skip
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|[smhdwy])")
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtpeKMGTPE]?)(i?)[bB]?")
PAIR = re.compile(r'(?<![^\s="])([^\s="]++)=("(?:[^"\\]|\\.)*+"|[^\s"]*+)')  # In time in proportion to the line.
STRANGE = re.compile(r"[^A-Za-z0-9_]")
CAPTURE = re.compile(r"<([A-Za-z_][A-Za-z0-9_]*)>")
TEMPLATE = re.compile(r"\{\{-?\s*(?:\.([A-Za-z_][A-Za-z0-9_]*)|(__line__))\s*-?\}\}")


@dataclass
class Line:
    """A line on its way. `labels`: of its stream, and what parsers found; `value`: what was unwrapped."""

    text: str
    labels: dict[str, str]
    value: float | None = None

    def fails(self, error: str, details: str) -> None:
        self.labels |= {"__error__": error, "__error_details__": details}

    def finds(self, pairs: Iterator[tuple[str, str]], own: frozenset[str]) -> None:
        """Labels that a parser found. `own`: those of the stream, which stay as they are."""
        for name, value in pairs:
            self.labels[f"{name}_extracted" if name in own else name] = value


Stage = Callable[[Line], bool]  # False: the line goes no further.


def stage(tokens: Tokens) -> Stage:
    """Read what stands behind a `|`. Errors: BadQuery."""
    if tokens.next_is(*STAGES):
        return STAGES[tokens.take(*STAGES)](tokens)
    return _any_labels(tokens)


def label_test(sign: str, wanted: str) -> Test:
    """A test of a label's whole value."""
    if sign in ("=", "!="):
        return lambda value: (value == wanted) == (sign == "=")
    compiled(wanted)  # As it was written, so that a complaint quotes that.
    pattern = compiled(f"(?s:{wanted})")
    return lambda value: (pattern.fullmatch(value) is not None) == (sign == "=~")


# --- parsers ----------------------------------------------------------------------------------------------------


def _names(tokens: Tokens) -> list[tuple[str, str]]:
    """`a="x.y", b` behind a parser: (label, expression) each; none: everything is wanted."""
    found = []
    while tokens.next_is("IDENTIFIER") and not tokens.next_is("by", "without", "offset"):
        name = tokens.take("IDENTIFIER")
        expression = name
        if tokens.next_is("="):
            tokens.take("=")
            expression = tokens.string()
        found.append((name, expression))
        if not tokens.next_is(","):
            break
        tokens.take(",")
    return found


def _parser(find: Callable[[str], Iterator[tuple[str, str]]], error: str) -> Stage:
    """A stage of a parser. `find`: labels of a text, ValueError if it has not the form."""

    def parsed(line: Line) -> bool:
        try:
            found = list(find(line.text))
        except ValueError as problem:
            line.fails(error, str(problem))
            return True
        line.finds(iter(found), frozenset(line.labels))
        return True

    return parsed


def _json(tokens: Tokens) -> Stage:
    wanted = [(name, _steps(expression)) for name, expression in _names(tokens)]

    def find(text: str) -> Iterator[tuple[str, str]]:
        value = orjson.loads(text)
        if not wanted:
            if not isinstance(value, dict):
                raise ValueError("expecting json object, but it is not")
            yield from _flat(value, "")
        for name, steps in wanted:
            yield name, _shown(_at(value, steps))

    return _parser(find, "JSONParserErr")


def _flat(value: dict[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    """Labels of an object: names of inner ones behind those of outer ones; lists and nulls are none."""
    for name, each in value.items():
        label = STRANGE.sub("_", f"{prefix}{name}")
        label = f"_{label}" if label[:1].isdigit() else label
        if isinstance(each, dict):
            yield from _flat(each, f"{label}_")
        elif each is not None and not isinstance(each, list):
            yield label, _shown(each)


def _shown(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _steps(expression: str) -> list[str | int]:
    """`a.b[0]["c d"]` as steps into an object. Errors: BadQuery."""
    found: list[str | int] = []
    for name, number, quoted, rest in re.findall(r'([A-Za-z_]\w*)|\[(\d{1,6})\]|\["([^"]*)"\]|([^.])', expression):
        if rest:
            raise BadQuery(f"invalid json expression {expression!r}: unexpected {rest!r}")
        found.append(int(number) if number else name or quoted)
    return found


def _at(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value


def _logfmt(tokens: Tokens) -> Stage:
    wanted = _names(tokens)

    def find(text: str) -> Iterator[tuple[str, str]]:
        pairs = {name: _unquoted(value) for name, value in PAIR.findall(text)}
        if not wanted:
            return iter([(STRANGE.sub("_", name), value) for name, value in pairs.items() if value])
        return iter([(name, pairs.get(expression, "")) for name, expression in wanted])

    return _parser(find, "LogfmtParserErr")


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(orjson.loads(value))
    except ValueError:
        return value[1:-1]


def _regexp(tokens: Tokens) -> Stage:
    text = tokens.string()
    pattern = compiled(text)
    if not pattern.groupindex:
        raise BadQuery("at least one named capture must be supplied")
    return _by_groups(pattern)


def _by_groups(pattern: Any) -> Stage:
    def find(text: str) -> Iterator[tuple[str, str]]:
        found = pattern.search(text)
        return iter([(name, value or "") for name, value in found.groupdict().items()] if found else [])

    return _parser(find, "RegexpParserErr")


def _pattern(tokens: Tokens) -> Stage:
    """`<ip> - - [<_>] "<method> <path>"`: what stands between is literal, from the line's beginning on."""
    text = tokens.string()
    names = [name for name in CAPTURE.findall(text) if name != "_"]
    if not names:
        raise BadQuery("at least one capture is required")
    if len(set(names)) < len(names):
        raise BadQuery(f"duplicate capture name ({next(n for n in names if names.count(n) > 1)})")
    parts, at = ["^"], 0
    captures = list(CAPTURE.finditer(text))
    for place, found in enumerate(captures):
        if place and found.start() == at:
            raise BadQuery("found consecutive capture: invalid expression")
        is_last = place == len(captures) - 1 and found.end() == len(text)
        inner = ".*" if is_last else ".*?"
        parts.append(escaped(text[at : found.start()]))
        parts.append(f"(?:{inner})" if found[1] == "_" else f"(?P<{found[1]}>{inner})")
        at = found.end()
    return _by_groups(compiled("".join(parts) + escaped(text[at:])))


# --- tests of labels --------------------------------------------------------------------------------------------


def _any_labels(tokens: Tokens) -> Stage:
    """`a = "x" or b > 1`."""
    tests = [_all_labels(tokens)]
    while tokens.next_is("or"):
        tokens.take("or")
        tests.append(_all_labels(tokens))
    return tests[0] if len(tests) == 1 else lambda line: any(test(line) for test in tests)


def _all_labels(tokens: Tokens) -> Stage:
    tests = [_one_label(tokens)]
    while tokens.next_is("and", ","):
        tokens.take("and", ",")
        tests.append(_one_label(tokens))
    return tests[0] if len(tests) == 1 else lambda line: all(test(line) for test in tests)


def _one_label(tokens: Tokens) -> Stage:
    if tokens.next_is("("):
        tokens.take("(")
        test = _any_labels(tokens)
        tokens.take(")")
        return test
    name, sign = tokens.take("IDENTIFIER"), tokens.take(*SIGNS)
    if tokens.next_is("STRING"):
        if sign not in ("=", "!=", "=~", "!~"):
            raise tokens.unexpected("NUMBER", "DURATION", "BYTES")
        fits = label_test(sign, tokens.string())
        return lambda line: fits(line.labels.get(name, ""))
    if sign in ("=~", "!~"):
        raise tokens.unexpected("STRING")
    return _measured(name, sign, *_measure(tokens))


def _measure(tokens: Tokens) -> tuple[float, Callable[[str], float]]:
    """A number with or without a unit, and how a label's text becomes one of its kind."""
    sign = -1.0 if tokens.next_is("-") and tokens.take("-") else 1.0
    kind = tokens.kind
    word = tokens.take("NUMBER", "DURATION", "BYTES")
    readers: dict[str, Callable[[str], float]] = {"NUMBER": float, "DURATION": seconds, "BYTES": size}
    return sign * readers[kind](word), readers[kind]


def _measured(name: str, sign: str, wanted: float, read: Callable[[str], float]) -> Stage:
    """A label that can't be read is no reason to lose the line, but one that is missing is."""

    def fits(line: Line) -> bool:
        text = line.labels.get(name)
        if text is None or "__error__" in line.labels:
            return text is not None
        try:
            value = read(text)
        except ValueError as problem:
            line.fails("LabelFilterErr", str(problem))
            return True
        return COMPARED[sign](value, wanted)

    return fits


COMPARED: dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}


def seconds(text: str) -> float:
    """Of a duration as Go writes it.

    >>> seconds("1m30s"), seconds("250ms"), seconds("-2s")
    (90.0, 0.25, -2.0)

    Errors: ValueError.
    """
    rest = text.strip().lstrip("-")
    parts = DURATION.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        raise ValueError(f'time: invalid duration "{text}"')
    total = sum(float(number) * SECONDS[unit] for number, unit in parts)
    return -total if text.strip().startswith("-") else total


def size(text: str) -> float:
    """Bytes.

    >>> size("10KB"), size("1.5KiB"), size("7")
    (10000.0, 1536.0, 7.0)

    Errors: ValueError.
    """
    found = SIZE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f'strconv.ParseFloat: parsing "{text}": invalid syntax')
    number, unit, binary = found.groups()
    power = " kmgtpe".index(unit.lower()) if unit else 0
    return float(float(number) * (1024 if binary else 1000) ** power)


# --- writing anew -----------------------------------------------------------------------------------------------


def _template(text: str) -> Callable[[Line], str | None]:
    """What it writes; None, and a line that failed: that would be longer than LONGEST.

    Errors: BadQuery for anything in braces that is no label and no __line__.
    """
    if "{{" in TEMPLATE.sub("", text):
        raise BadQuery(f"invalid line template: {text!r}: only {{{{.label}}}} and {{{{__line__}}}} are known here")

    places = [found[1] for found in TEMPLATE.finditer(text)]

    def written(line: Line) -> str | None:
        if sum(len(line.labels.get(name, "") if name else line.text) for name in places) > LONGEST:
            line.fails("TemplateFormatErr", f"the line would be longer than {LONGEST} characters")
            return None
        return TEMPLATE.sub(lambda found: line.labels.get(found[1], "") if found[1] else line.text, text)

    return written


def _line_format(tokens: Tokens) -> Stage:
    template = _template(tokens.string())

    def written(line: Line) -> bool:
        made = template(line)
        line.text = line.text if made is None else made
        return True

    return written


def _label_format(tokens: Tokens) -> Stage:
    """`a=b` renames b; `a="{{.b}} and {{.c}}"` writes a."""
    changes: list[tuple[str, str, Callable[[Line], str | None] | None]] = []
    while True:
        name = tokens.take("IDENTIFIER")
        tokens.take("=")
        if tokens.next_is("STRING"):
            changes.append((name, "", _template(tokens.string())))
        else:
            changes.append((name, tokens.take("IDENTIFIER"), None))
        if not tokens.next_is(","):
            break
        tokens.take(",")

    def written(line: Line) -> bool:
        for name, source, template in changes:
            if template is not None:
                made = template(line)
                line.labels |= {name: made} if made is not None else {}
            elif source in line.labels:
                line.labels[name] = line.labels.pop(source)
        return True

    return written


def _listed(tokens: Tokens) -> frozenset[str]:
    names = [tokens.take("IDENTIFIER")]
    while tokens.next_is(","):
        tokens.take(",")
        names.append(tokens.take("IDENTIFIER"))
    return frozenset(names)


def _drop(tokens: Tokens) -> Stage:
    names = _listed(tokens)

    def dropped(line: Line) -> bool:
        line.labels = {name: value for name, value in line.labels.items() if name not in names}
        return True

    return dropped


def _keep(tokens: Tokens) -> Stage:
    names = _listed(tokens)

    def kept(line: Line) -> bool:
        line.labels = {name: value for name, value in line.labels.items() if name in names}
        return True

    return kept


def _unwrap(tokens: Tokens) -> Stage:
    """`unwrap took`, `unwrap duration(took)`, `unwrap bytes(size)`."""
    name, read = tokens.take("IDENTIFIER"), float
    if tokens.next_is("("):
        if name not in CONVERSIONS:
            raise tokens.unexpected()
        read = CONVERSIONS[name]  # type: ignore[assignment]
        tokens.take("(")
        name = tokens.take("IDENTIFIER")
        tokens.take(")")

    def unwrapped(line: Line) -> bool:
        text = line.labels.pop(name, None)
        if text is None:
            return False
        try:
            line.value = read(text)
        except ValueError as problem:
            line.fails("SampleExtractionErr", str(problem))
        return True

    return unwrapped


CONVERSIONS: dict[str, Callable[[str], float]] = {"duration": seconds, "duration_seconds": seconds, "bytes": size}
STAGES: dict[str, Callable[[Tokens], Stage]] = {
    "json": _json,
    "logfmt": _logfmt,
    "regexp": _regexp,
    "pattern": _pattern,
    "line_format": _line_format,
    "label_format": _label_format,
    "drop": _drop,
    "keep": _keep,
    "unwrap": _unwrap,
}
