"""How clients of databases print rows: the boxes of mysql, the columns of psql, tabs for scripts."""

from collections.abc import Sequence
from typing import Any

Row = Sequence[str | None]


# --- mysql ------------------------------------------------------------------------------------------------------


def decoded(text: str) -> str:
    """Real characters, whose number is a column's width."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def encoded(text: str) -> str:
    return text.encode("utf-8", "replace").decode("latin-1")


def boxed(columns: Sequence[str], rows: Sequence[Row], numeric: Sequence[bool], names: bool = True) -> str:
    """
    >>> print(boxed(["id", "name"], [["1", None]], [True, False]), end="")
    +----+------+
    | id | name |
    +----+------+
    |  1 | NULL |
    +----+------+
    """
    columns = [decoded(name) for name in columns]
    shown = [["NULL" if value is None else decoded(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[n]) for row in shown)]) for n, name in enumerate(columns)]
    line = "+" + "+".join("-" * (width + 2) for width in widths) + "+\n"
    head = "|" + "|".join(f" {name:<{width}} " for name, width in zip(columns, widths, strict=True)) + "|\n"
    body = ""
    for row in shown:
        cells = (f" {v:>{w}} " if right else f" {v:<{w}} " for v, w, right in zip(row, widths, numeric, strict=True))
        body += "|" + "|".join(cells) + "|\n"
    return encoded((line + head if names else "") + line + body + line)


def vertical(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """What \\G gives."""
    width = max(map(len, columns), default=0)
    text = ""
    for n, row in enumerate(rows, 1):
        text += f"{'*' * 27} {n}. row {'*' * 27}\n"
        text += "".join(
            f"{name:>{width}}: {'NULL' if v is None else v}\n" for name, v in zip(columns, row, strict=True)
        )
    return text


def tabbed(columns: Sequence[str], rows: Sequence[Row], names: bool) -> str:
    """For whoever reads it by a program."""
    lines = ["\t".join(columns)] if names else []
    lines += ["\t".join("NULL" if value is None else _escaped(value) for value in row) for row in rows]
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")


# --- psql -------------------------------------------------------------------------------------------------------


def aligned(
    columns: Sequence[str], rows: Sequence[Row], numeric: Sequence[bool], title: str = "", only: bool = False,
    footer: bool = True,
) -> str:  # fmt: skip
    r"""
    >>> aligned(["id", "name"], [["1", "Ann"]], [True, False]).split("\n")
    [' id | name ', '----+------', '  1 | Ann', '(1 row)', '', '']
    """
    columns = [decoded(name) for name in columns]
    shown = [[decoded(value or "").split("\n") for value in row] for row in rows]
    widths = [max([len(name), *(len(part) for row in shown for part in row[n])]) for n, name in enumerate(columns)]
    whole = sum(widths) + 3 * len(widths) - 1
    text = f"{' ' * max((whole - len(title)) // 2, 0)}{title}\n" if title else ""
    if not columns:
        text += "" if only else "--\n"
    elif not only:
        heads = (f" {_centred(name, width)} " for name, width in zip(columns, widths, strict=True))
        text += "|".join(heads) + "\n" + "+".join("-" * (width + 2) for width in widths) + "\n"
    for row in shown:
        text += _lines(row, widths, numeric)
    if footer and not only:
        text += f"({len(rows)} row{'' if len(rows) == 1 else 's'})\n"
    return encoded(text) + "\n"


def _lines(row: Sequence[Sequence[str]], widths: Sequence[int], numeric: Sequence[bool]) -> str:
    """One row, of which a cell may have several lines: a plus sign says that it goes on."""
    text = ""
    for n in range(max(map(len, row), default=0)):
        cells = []
        for cell, width, right in zip(row, widths, numeric, strict=True):
            part, more = (cell[n] if n < len(cell) else ""), n + 1 < len(cell)
            cells.append(
                f" {part:>{width}}{'+' if more else ' '}" if right else f" {part:<{width}}{'+' if more else ' '}"
            )
        line = "|".join(cells)
        text += (line if line.endswith("+") else _cut(line, row[-1], n, numeric[-1])) + "\n"
    return text


def _cut(line: str, last: Sequence[str], n: int, right: bool) -> str:
    """Nothing is padded behind the last column."""
    if right:
        return line[:-1]
    kept = line.rstrip(" ")
    return kept + " " if kept.endswith("|") or not kept else kept


def _centred(name: str, width: int) -> str:
    left = (width - len(name)) // 2
    return " " * left + name + " " * (width - len(name) - left)


def expanded(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """What \\x gives."""
    if not rows:
        return "(0 rows)\n\n"
    width = max(map(len, columns), default=0)
    values = max((len(part) for row in rows for value in row for part in (value or "").split("\n")), default=0)
    text = ""
    for n, row in enumerate(rows, 1):
        head = f"-[ RECORD {n} ]"
        line = head + "-" * max(width + 1 - len(head), 0) + ("+" if len(head) < width + 2 else "") + "-" * (values + 1)
        text += line[: width + values + 3] + "\n"
        text += "".join(f"{name:<{width}} | {value or ''}\n" for name, value in zip(columns, row, strict=True))
    return text + "\n"


def unaligned(columns: Sequence[str], rows: Sequence[Row], only: bool, separator: str = "|") -> str:
    lines = [] if only else [separator.join(columns)]
    lines += [separator.join(value or "" for value in row) for row in rows]
    if not only:
        lines.append(f"({len(rows)} row{'' if len(rows) == 1 else 's'})")
    return "".join(f"{line}\n" for line in lines)


def numeric_of(result: dict[str, Any]) -> list[bool]:
    found: list[bool] = result.get("numeric") or [False] * len(result.get("columns") or ())
    return found
