"""The log panel: what all containers and components print, searched by words or by LogQL, followed, paged, explained.

Where the lines come from, and how they are found: dashboard/logsearch.py. A page holds PAGE lines whatever is found, so
that a browser never gets more; older and newer pages begin behind the last line of the one before.

    q, namespace, pod …    what is looked for            range, from, to     when, in simulated time
    before, after          the line behind which the page ends or begins, as `at.block.place`
    line, stream, span     the lines around one line of a stream
"""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
from django.utils.translation import gettext_lazy as _

from cluster.logstore import agent, logql
from cluster.logstore.store import Entry, Key
from dashboard import logsearch
from dashboard.logsearch import LABELS, Asked
from dashboard.panels.panel import Panel, View

PAGE = 200
SPAN, MOST_SPAN = 10, 100  # Lines shown before and after one.
CHOICES = 200  # Values of a label that are offered.
SECOND = 1_000_000
RANGES = {
    "1m": (_("Last minute"), 60),
    "15m": (_("Last 15 minutes"), 900),
    "1h": (_("Last hour"), 3600),
    "all": (_("All that is kept"), 0),
    "custom": (_("From … to …"), 0),
}
USUAL = "1h"
CLOCK = re.compile(r"(?:(?:(\d{1,6}):)?(\d{1,4}):)?(\d{1,9}(?:\.\d{1,6})?)")
TITLES = {
    "namespace": _("Namespace"),
    "pod": _("Pod"),
    "container": _("Container"),
    "node": _("Node"),
    "component": _("Component"),
}
EXAMPLE = _('Words, or LogQL: {pod=~"web.*"} |= "error"')
INSTALL = "python manage.py addon {name} | kubectl apply -f -"


class Line(NamedTuple):
    """One line as the panel shows it. `process`: of the control plane; its pod is none that the API server knows."""

    at: int
    process: str
    labels: dict[str, str]
    pieces: list[tuple[str, bool]]
    pod: str
    exists: bool
    node_exists: bool
    is_target: bool
    around: str


class Unreadable(ValueError):
    """A wish that can't be understood."""


def context(view: View) -> dict[str, Any]:
    """What the template shows; what was asked wrongly is said in `error`."""
    standing = logsearch.standing(view.cluster)
    stored = standing.has_store and not standing.problem
    wishes = {name: view.wish(name).strip() for name in LABELS}
    text = logsearch.logql_of(view.wish("q"), wishes)
    found: dict[str, Any] = {"lines": [], "older": "", "newer": "", "unread": 0, "error": ""}
    start, end = 0, view.cluster.sim_now + 1
    try:
        start, end = moments(view)
        query = logql.parse(text)
        found |= around(view, stored, query) if view.wish("line") else page(view, stored, query, start, end)
    except (Unreadable, *logsearch.Bad) as error:
        found["error"] = str(error)
    return {
        **found,
        "standing": standing,
        "silent": standing.silent[:4],
        "more_silent": max(len(standing.silent) - 4, 0),
        "install": {key: INSTALL.format(name=name) for key, name in (("store", "loki"), ("agents", "fluent-bit"))},
        "stored": stored,
        "query": text,
        "example": EXAMPLE,
        "q": view.wish("q"),
        "filters": filters(logsearch.streams(view.cluster, stored, start, end), wishes),
        "ranges": [(name, title) for name, (title, _seconds) in RANGES.items()],
        "range": chosen_range(view),
        "from": view.wish("from"),
        "to": view.wish("to"),
        "is_filtered": bool(view.wish("q").strip() or any(wishes.values())),
        "live": not any(view.wish(name) for name in ("before", "after", "line")) and not has_end(view),
        "here": asked_again(view),
    }


# --- wishes -----------------------------------------------------------------------------------------------------


def chosen_range(view: View) -> str:
    wish = view.wish("range", USUAL)
    return wish if wish in RANGES else USUAL


def has_end(view: View) -> bool:
    return chosen_range(view) == "custom" and bool(view.wish("to").strip())


def moments(view: View) -> tuple[int, int]:
    """[start, end) in microseconds since t = 0. Errors: Unreadable."""
    wish, now = chosen_range(view), view.cluster.sim_now + 1
    if wish == "custom":
        start, end = (moment(view.wish(name)) for name in ("from", "to"))
        return start or 0, now if end is None else min(end + 1, now)
    seconds = RANGES[wish][1]
    return (max(now - seconds * SECOND, 0) if seconds else 0), now


def moment(text: str) -> int | None:
    """A time of the clock, as the page shows it: `6:29.4`, `1:06:29`, `389` seconds. None: none. Errors: Unreadable.

    >>> moment("6:29.4"), moment("1:00:00"), moment("")
    (389400000, 3600000000, None)
    """
    if not text.strip():
        return None
    found = CLOCK.fullmatch(text.strip())
    if found is None:
        raise Unreadable(_("%(text)s is no time; write it as the clock does, such as 6:29.4") % {"text": text})
    hours, minutes, seconds = found.groups()
    return (int(hours or 0) * 3600 + int(minutes or 0) * 60) * SECOND + round(float(seconds) * SECOND)


def asked_again(view: View, **changes: str) -> str:
    """The same wishes as a query string, with others for where the page is."""
    kept = {name: view.wish(name) for name in ("q", *LABELS, "range", "from", "to")}
    return "?" + urlencode({name: value for name, value in {**kept, **changes}.items() if value})


def key_of(text: str) -> Key:
    """`at.block.place`. Errors: Unreadable."""
    parts = text.split(".")
    if len(parts) != 3 or not all(part.lstrip("-").isdecimal() and len(part) < 20 for part in parts):
        raise Unreadable(_("%(text)s names no line") % {"text": text})
    at, block, place = map(int, parts)
    return at, (block, place)


def key_text(key: Key) -> str:
    return f"{key[0]}.{key[1][0]}.{key[1][1]}"


def filters(streams: Iterable[dict[str, str]], wishes: dict[str, str]) -> list[dict[str, Any]]:
    """What each label can be narrowed to, given the others. Pods are typed, since there are many."""
    known, found = list(streams), []
    for name in LABELS:
        others = [(other, value) for other, value in wishes.items() if value and other != name and "*" not in value]
        values = sorted({each[name] for each in known if name in each and all(each.get(o) == v for o, v in others)})
        row = {"name": name, "title": TITLES[name], "value": wishes[name], "choices": values[:CHOICES]}
        found.append({**row, "typed": name == "pod" or len(values) > CHOICES})
    return found


# --- lines ------------------------------------------------------------------------------------------------------


def page(view: View, stored: bool, query: logql.Query, start: int, end: int) -> dict[str, Any]:
    """A page of what was found, oldest line first. Errors: TooMuch, Unreadable."""
    forward = bool(view.wish("after"))
    beyond = view.wish("after") or view.wish("before")
    asked = Asked(query, start, end, PAGE, forward, key_of(beyond) if beyond else None)
    answer = (logsearch.from_store if stored else logsearch.from_nodes)(view.cluster, asked)
    entries = answer.entries
    older = bool(entries) and (answer.more or forward)
    newer = bool(entries) and (answer.more if forward else bool(view.wish("before")))
    return {
        "lines": lines(view, entries, query),
        "older": asked_again(view, before=key_text(entries[0].key)) if older else "",
        "newer": asked_again(view, after=key_text(entries[-1].key)) if newer else "",
        "unread": answer.unread,
    }


def around(view: View, stored: bool, query: logql.Query) -> dict[str, Any]:
    """The lines around one; what `query` looks for is highlighted. Errors: BadQuery, TooMuch, Unreadable."""
    key, span = key_of(view.wish("line")), view.wish("span", str(SPAN))
    count = min(int(span), MOST_SPAN) if span.isdecimal() and len(span) < 5 else SPAN
    try:
        stream = orjson.loads(view.wish("stream"))
    except ValueError:
        stream = None
    if not isinstance(stream, dict) or not stream or not all(isinstance(value, str) for value in stream.values()):
        raise Unreadable(_("%(text)s names no stream") % {"text": view.wish("stream")})
    entries = logsearch.around(view.cluster, stored, stream, key, count)
    wider = {"line": view.wish("line"), "stream": view.wish("stream"), "span": str(count * 3)}
    return {
        "lines": lines(view, entries, query, key),
        "context": stream,
        "wider": asked_again(view, **wider) if count < MOST_SPAN else "",
    }


def lines(view: View, entries: list[Entry], query: logql.Query, target: Key | None = None) -> list[Line]:
    alive = logsearch.living(view.cluster, entries)
    found = []
    for entry in entries:
        stream, key = entry.origin or entry.stream, key_text(entry.key)
        labels = orjson.loads(stream)
        pod = f"{labels['namespace']}/{labels['pod']}" if "pod" in labels else ""
        link = asked_again(view, line=key, stream=stream)
        is_target = entry.key == target
        pieces = logsearch.parted(entry.text, query)
        component = labels.get("component", "")
        process = component if pod and component not in agent.COMPONENTS else ""
        node = labels.get("node", "") in alive
        found.append(Line(entry.at, process, labels, pieces, pod, pod in alive, node, is_target, link))
    return found


PANEL = Panel("logs", context, _("Logs"), "scroll-text")
