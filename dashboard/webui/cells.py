"""What stands on a page, as data: cells, and sections made of fields and rows. One template draws them all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Text = str


class Cell(NamedTuple):
    """`api`: the path that it leads to. `tone`: run, pend, fail, term or done, if its colour says how well it is.

    `since`: a stamp; the text is the time that has gone by. `is_hidden`: shown when it is asked for. `act`: a button's
    (name, value, label) instead of text.
    """

    text: Any = ""
    api: str = ""
    tone: str = ""
    is_mono: bool = False
    since: str = ""
    is_hidden: bool = False
    act: tuple[tuple[str, str], ...] = ()
    depth: int = 0
    column: str = ""
    share: int | None = None  # Of a whole, in per cent: drawn as a bar.


Row = list[Cell]


@dataclass
class Section:
    """A card of a page. `note`: what stands there instead of rows that are not there."""

    title: Text
    fields: list[tuple[Text, list[Cell]]] = field(default_factory=list)
    columns: list[Text] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    note: Text = ""
    problem: str = ""


def mono(text: Any) -> Cell:
    return Cell(text, is_mono=True)


def fields(*pairs: tuple[Text, Any]) -> list[tuple[Text, list[Cell]]]:
    """Those that say something. A value is text, a cell, or a list of these."""
    found = []
    for label, value in pairs:
        values = value if isinstance(value, list) else [value]
        cells = [each if isinstance(each, Cell) else Cell(each) for each in values if each not in ("", None)]
        if cells:
            found.append((label, cells))
    return found


def pairs(values: Mapping[str, Any] | None) -> list[Cell]:
    """Labels, selectors, nodeSelectors …, as kubectl writes them."""
    return [mono(f"{name}={value}") for name, value in sorted((values or {}).items())]


# --- tones --------------------------------------------------------------------------------------------------------

RUN = {"Running", "Ready", "Active", "Bound", "Available", "True", "Healthy", "Normal"}
DONE = {"Completed", "Succeeded", "Complete", "Released"}
PEND = {"Pending", "ContainerCreating", "PodInitializing", "Waiting", "Suspended", "Warning", "SchedulingGated"}
TERM = {"Terminating", "Unknown"}
FAIL = {"Error", "Failed", "OOMKilled", "Evicted", "Lost", "NotReady", "NodeLost", "DeadlineExceeded", "False"}
FAILING = ("BackOff", "Err", "Invalid", "Cannot", "Failed")
COLOURED = {"Status", "Phase", "State", "Available", "Type"}


def tone(status: str) -> str:
    """How well something is that calls itself so.

    >>> [tone(each) for each in ("Running", "CrashLoopBackOff", "Init:0/1", "Ready,SchedulingDisabled", "whatever")]
    ['run', 'fail', 'pend', 'pend', '']
    """
    first, _, rest = status.partition(",")
    if rest and first in RUN:
        return "pend"
    for name, known in (("run", RUN), ("done", DONE), ("pend", PEND), ("term", TERM), ("fail", FAIL)):
        if first in known:
            return name
    if any(part in first for part in FAILING):
        return "fail"
    return "pend" if first.startswith(("Init:", "PodInitializing")) else ""


def tone_of_column(column: str, text: Any, row: Mapping[str, Any]) -> str:
    """The tone of a cell of the API's table. `row`: the other cells by their columns."""
    if column == "Ready" and isinstance(text, str) and "/" in text:
        have, _, want = text.partition("/")
        return "pend" if have != want and row.get("Status") not in DONE else ""
    if column not in COLOURED or not isinstance(text, str):
        return ""
    found = tone(text)
    if found == "run" and column == "Status" and "/" in str(row.get("Ready", "")):
        have, _, want = str(row["Ready"]).partition("/")
        return "run" if have == want else "pend"
    return found


def joined(texts: Iterable[Any]) -> str:
    return ", ".join(str(each) for each in texts)
