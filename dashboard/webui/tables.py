"""Lists, as the API prints them: its own Table, page by page, or read whole, to be sorted and searched.

A page of a list is `limit` and `continue`, as `kubectl get --chunk-size` asks. Who sorts or searches, or wants several
namespaces, has to read all of it; at most MOST rows, and the page says so if there are more.
"""

import re
from typing import Any, NamedTuple

from django.http import QueryDict

from cluster.apiserver.target import Target
from cluster.objects import Manifest, quantity
from dashboard.webui.cells import Cell, tone_of_column
from dashboard.webui.client import Answer, Client

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PAGE = 50  # Rows.
CHUNK = 500  # Rows of one answer while all of it is read …
MOST = 5000  # … and of all of them.
_PARTS = re.compile(r"(\d+)")
_SPAN, _SPAN_PARTS = re.compile(r"(\d+[smhdy])+"), re.compile(r"(\d+)([smhdy])")
_AMOUNT = re.compile(r"\d+[KMGTP]i")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "y": 365 * 86400}
Row = dict[str, Any]


class Wish(NamedTuple):
    """What a list should show. `sort`: a column's name, with a minus before it for the other direction."""

    namespaces: tuple[str, ...] = ()
    labels: str = ""
    fields: str = ""
    search: str = ""
    sort: str = ""
    wide: bool = False
    page: int = 1
    next: str = ""  # The API's continue token.

    @classmethod
    def of(cls, query: QueryDict) -> "Wish":
        page = query.get("page", "1")
        return cls(
            tuple(each for each in query.getlist("namespace") if each),
            query.get("labelSelector", ""),
            query.get("fieldSelector", ""),
            query.get("search", "").strip(),
            query.get("sort", ""),
            query.get("wide") == "1",
            int(page) if page.isdecimal() and len(page) < 6 else 1,
            query.get("continue", ""),
        )

    @property
    def selected(self) -> dict[str, str]:
        asked = {"labelSelector": self.labels, "fieldSelector": self.fields}
        return {name: value for name, value in asked.items() if value}

    @property
    def wants_all(self) -> bool:
        return bool(self.search or self.sort or len(self.namespaces) > 1)


class Listed(NamedTuple):
    """`rows`: [{"uid", "namespace", "name", "api", "cells", "about"}]. `answer`: the one that refused, or the last."""

    answer: Answer
    columns: list[str] = []
    rows: list[Row] = []
    found: int = 0  # Rows that fit the search, on all pages; 0: not counted.
    page: int = 1
    pages: int = 1
    next: str = ""
    left_out: int = 0  # Rows beyond MOST, or how many come after this page.


def paths(api: str, target: Target, namespaces: tuple[str, ...]) -> list[str]:
    """The lists that have to be read.

    >>> paths("api/v1/pods", Target("", "v1", "pods", "", "", "", ""), ("a", "b"))
    ['api/v1/namespaces/a/pods', 'api/v1/namespaces/b/pods']
    """
    if target.namespace or len(namespaces) < 2:
        return [api]
    root = api.removesuffix(target.plural)
    return [f"{root}namespaces/{each}/{target.plural}" for each in namespaces]


def read(server: Client, apis: list[str], wish: Wish) -> Listed:
    """A page of a list. Errors: TimeoutError."""
    if wish.wants_all:
        return _whole(server, apis, wish)
    query = {"limit": str(PAGE), **wish.selected, **({"continue": wish.next} if wish.next else {})}
    answer = server.get(apis[0], query, TABLE)
    columns, rows = _rows(answer.body, apis[0], wish.wide)
    about = answer.body.get("metadata") or {}
    return Listed(answer, columns, rows, next=about.get("continue", ""), left_out=about.get("remainingItemCount", 0))


def _whole(server: Client, apis: list[str], wish: Wish) -> Listed:
    columns: list[str] = []
    rows: list[Row] = []
    left_out = 0
    answer = Answer(200, {}, "")
    for api in apis:
        token = "-"
        while token and len(rows) < MOST:
            query = {"limit": str(CHUNK), **wish.selected, **({"continue": token} if token != "-" else {})}
            answer = server.get(api, query, TABLE)
            if answer.status != 200:
                return Listed(answer)
            columns, more = _rows(answer.body, api, wish.wide)
            rows += more
            about = answer.body.get("metadata") or {}
            token = about.get("continue", "")
        left_out += about.get("remainingItemCount", 0) if token else 0
    rows = [row for row in rows if _fits(row, wish.search)]
    _sort(rows, columns, wish.sort)
    pages = max(-(-len(rows) // PAGE), 1)
    page = min(max(wish.page, 1), pages)
    shown = rows[(page - 1) * PAGE : page * PAGE] if wish.wants_all else rows
    return Listed(answer, columns, shown, len(rows), page, pages, left_out=left_out)


def _fits(row: Row, search: str) -> bool:
    """Does each word of `search` stand somewhere in the row?"""
    text = " ".join([row["namespace"], *(str(cell.text) for cell in row["cells"])]).lower()
    return all(word in text for word in search.lower().split())


def _sort(rows: list[Row], columns: list[str], sort: str) -> None:
    name = sort.removeprefix("-")
    if name == "Namespace":
        rows.sort(key=lambda row: row["namespace"], reverse=sort.startswith("-"))
    elif name == "Age":
        rows.sort(key=lambda row: str(row["about"].get("creationTimestamp")), reverse=not sort.startswith("-"))
    elif name in columns:
        at = columns.index(name)
        rows.sort(key=lambda row: _natural(row["cells"][at].text), reverse=sort.startswith("-"))


def _natural(value: Any) -> list[tuple[int, Any]]:
    """For sorting texts with numbers in them, spans of time and amounts.

    >>> sorted(["web-10", "web-9", 3, "12"], key=_natural)
    [3, '12', 'web-9', 'web-10']
    >>> sorted(["2h", "3m20s", "90s"], key=_natural), sorted(["1Gi", "500Mi"], key=_natural)
    (['90s', '3m20s', '2h'], ['500Mi', '1Gi'])
    """
    if isinstance(value, str) and _SPAN.fullmatch(value):
        return [(0, sum(int(number) * SECONDS[unit] for number, unit in _SPAN_PARTS.findall(value)))]
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return [(0, quantity.value(value))]
    parts = _PARTS.split(str("" if value is None else value).lower())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts if part]


def _rows(body: dict[str, Any], api: str, wide: bool) -> tuple[list[str], list[Row]]:
    """The columns that kubectl shows, and rows with where their objects are."""
    columns = [(at, each["name"]) for at, each in enumerate(body.get("columnDefinitions") or ())
               if wide or not each["priority"]]  # fmt: skip
    rows = [_row(row, columns, api) for row in body.get("rows") or ()]
    return [name for _, name in columns], rows


def _row(row: dict[str, Any], columns: list[tuple[int, str]], api: str) -> Row:
    about: Manifest = row["object"]["metadata"]
    by_name = {name: row["cells"][at] for at, name in columns}
    path = object_path(api, about)
    cells = []
    for number, (name, value) in enumerate(by_name.items()):
        since = str(about.get("creationTimestamp") or "") if name == "Age" else ""
        text, to = "" if value is None else value, path if number == 0 else ""
        cells.append(Cell(text, to, tone_of_column(name, text, by_name), since=since, column=name))
    return {
        "uid": about.get("uid", ""),
        "namespace": about.get("namespace", ""),
        "name": about["name"],
        "api": path,
        "cells": cells,
        "about": about,
    }


def object_path(api: str, about: dict[str, str]) -> str:
    """The path of an object in the list at `api`.

    >>> object_path("api/v1/pods", {"namespace": "shop", "name": "web"})
    'api/v1/namespaces/shop/pods/web'
    >>> object_path("api/v1/nodes", {"name": "n1"})
    'api/v1/nodes/n1'
    """
    root, _, plural = api.rpartition("/")
    scope = f"/namespaces/{about['namespace']}" if about.get("namespace") and "/namespaces/" not in api else ""
    return f"{root}{scope}/{plural}/{about['name']}"


def read_all(server: Client, api: str) -> Listed:
    """Up to MOST rows of a list, as they come. Errors: TimeoutError."""
    return _whole(server, [api], Wish())
