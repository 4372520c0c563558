"""metadata.managedFields: who said which field last.

    manager             who: a name that the client chose, or the first part of its User-Agent
    operation           Apply: it keeps what it says here;  Update: it wrote this once
    subresource         which door it came through
    fieldsV1            what it owns

One manager may stand there several times: once for each operation, sub-resource and (of updates) version.

Mirrors:  k8s.io/apimachinery/pkg/util/managedfields (managedfields.go, capmanagers.go, managedfieldsupdater.go)
"""

from typing import Any, NamedTuple

from cluster.apiserver.fieldmanager import sets
from cluster.apiserver.fieldmanager.sets import NONE, Fields
from cluster.objects import Manifest
from cluster.objects.memo import IdentityMemo

APPLY, UPDATE = "Apply", "Update"
MOST_UPDATERS = 10  # Entries of updates that are kept apart; the oldest beyond them become one.
ANCIENT = "ancient-changes"
BEFORE_APPLY = "before-first-apply"


class Manager(NamedTuple):
    """Who, and how. `api_version`: empty for Apply, which keeps one entry through all versions."""

    name: str
    operation: str
    api_version: str = ""
    subresource: str = ""

    def shown(self, api_version: str) -> str:
        """As a conflict names it."""
        text = f'"{self.name}"'
        if self.subresource:
            text += f' with subresource "{self.subresource}"'
        return text + (f" using {api_version}" if self.operation == UPDATE else "")


class Entry(NamedTuple):
    """What a manager owns. `time`: RFC 3339, when that last changed."""

    fields: Fields
    api_version: str
    time: str


Managed = dict[Manager, Entry]

MOST_TREES = 4_096
_parsed = IdentityMemo(MOST_TREES)
_trees: dict[Fields, Manifest] = {}


def tree_of(fields: Fields) -> Manifest:
    """The set as FieldsV1; equal sets share one dict."""
    found = _trees.get(fields)
    if found is None:
        if len(_trees) >= MOST_TREES:
            _trees.clear()
        found = _trees[fields] = sets.write(fields)
    return found


def read(entries: Any) -> Managed:
    """managedFields as stored or as a client sends them. Errors: ValueError."""
    found: Managed = {}
    for entry in entries or []:
        operation, version = entry.get("operation", ""), entry.get("apiVersion", "")
        if operation not in (APPLY, UPDATE):
            raise ValueError(f"invalid operation {operation!r}")
        if not version:
            raise ValueError("apiVersion must not be empty")
        if entry.get("fieldsType") != "FieldsV1":
            raise ValueError(f"unsupported fieldsType {entry.get('fieldsType')!r}")
        tree = entry.get("fieldsV1") or {}
        fields: Fields = _parsed.get(tree, None, sets.parse) if tree else NONE
        who = Manager(
            entry.get("manager", ""), operation, "" if operation == APPLY else version, entry.get("subresource", "")
        )
        found[who] = Entry(fields, version, entry.get("time", ""))
    return found


def write(managed: Managed) -> list[Manifest]:
    """As it is stored: appliers first, then by time and name."""
    ordered = sorted(
        managed.items(),
        key=lambda item: (item[0].operation, item[1].time, item[0].name, item[1].api_version, item[0].subresource),
    )
    return [_entry(manager, entry) for manager, entry in ordered]


def _entry(manager: Manager, entry: Entry) -> Manifest:
    return entry_of(manager, entry.api_version, entry.time, tree_of(entry.fields))


def entry_of(manager: Manager, api_version: str, time: str, tree: Manifest) -> Manifest:
    """One entry, its fields in Go's order."""
    made: Manifest = {"manager": manager.name, "operation": manager.operation, "apiVersion": api_version}
    if time:
        made["time"] = time
    made["fieldsType"], made["fieldsV1"] = "FieldsV1", tree
    if manager.subresource:
        made["subresource"] = manager.subresource
    return made


def only(manager: Manager, time: str, tree: Manifest) -> list[Manifest]:
    """managedFields of what one manager wrote. Whatever has the same tree and was made in the same second shares it."""
    known = _only.get(id(tree))
    if known is not None and known[0] is tree and known[1] == time and known[2] == manager:
        return known[3]
    if len(_only) >= MOST_TREES:
        _only.clear()
    made = [entry_of(manager, manager.api_version, time, tree)]
    _only[id(tree)] = tree, time, manager, made  # Holding `tree` keeps its id from being given to another dict.
    return made


_only: dict[int, tuple[Manifest, str, Manager, list[Manifest]]] = {}


def is_reset(entries: Any) -> bool:
    """`[{}]`: nobody shall own anything."""
    return entries == [{}]


def capped(managed: Managed) -> Managed:
    """The oldest updates beyond ten become one entry a version, without a sub-resource of their own."""
    updates = sorted(
        (manager for manager in managed if manager.operation == UPDATE),
        key=lambda manager: (managed[manager].time, manager.name, manager.api_version, manager.subresource),
    )
    kept, first_of, count = dict(managed), dict[str, Manager](), len(updates)
    for manager in updates:
        if count <= MOST_UPDATERS:
            break
        entry = managed[manager]
        first = first_of.setdefault(entry.api_version, manager)
        if first is manager:  # The oldest of its version stays as it is until a second one joins it.
            continue
        bucket = Manager(ANCIENT, UPDATE, entry.api_version)
        before = kept.get(bucket) or kept.pop(first)
        del kept[manager]
        kept[bucket] = Entry(entry.fields | before.fields, entry.api_version, entry.time)
        count -= 1
    return kept


def without_times(entries: Any) -> list[Manifest]:
    return [{name: value for name, value in entry.items() if name != "time"} for entry in entries or []]
