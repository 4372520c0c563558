"""A pod's status, reported by its kubelet: who owns what then, without comparing field by field.

Two of three writes of a rollout that carry an owner are these. They come in a handful of shapes; only addresses differ,
which are keys of lists. So the tree of each shape is made once, and the addresses are put in. The outcome is what the
long way would give (a test compares them); where that is not certain, this way is not taken.

A kubelet owns what it says, but for what was there before with the same value and was not its own: the class of
quality, and of `PodScheduled`, which the binding wrote, all but the generation that it adds.

Read next: typed.py for the long way.
"""

from functools import lru_cache
from typing import Any

from cluster.apiserver.fieldmanager.counts import with_latest
from cluster.apiserver.fieldmanager.managers import UPDATE, Manager, entry_of
from cluster.objects import Manifest

KUBELET = Manager("kubelet", UPDATE, "v1", "status")
MOST_SHAPES = 1_024
_ADDRESSES = ("podIPs",)  # Lists by key: {"ip": …}.
_KNOWN = frozenset(
    (
        "phase", "conditions", "message", "reason", "hostIP", "hostIPs", "podIP", "podIPs", "startTime", "qosClass",
        "containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses", "observedGeneration",
    )
)  # fmt: skip
_FIELDS = {name: f"f:{name}" for name in _KNOWN}
_LEAF: Manifest = {}
_ADDRESS = {".": _LEAF, "f:ip": _LEAF}
_shapes: dict[Any, tuple[Manifest, tuple[str, ...]]] = {}


def report(stored: list[Manifest], old: Manifest, new: Manifest, now: str) -> list[Manifest] | None:
    """managedFields after the report; None if the long way must be gone."""
    mine, rest = None, []
    for entry in stored:
        if entry["operation"] != UPDATE or (entry.get("subresource") and entry["manager"] != "kubelet"):
            return None
        if entry["manager"] == "kubelet" and entry.get("subresource") == "status":
            mine = entry
        else:
            rest.append(entry)
    if not _KNOWN.issuperset(new) or not _KNOWN.issuperset(old):
        return None
    owned: Manifest = mine["fieldsV1"].get("f:status", _LEAF) if mine else _LEAF
    fields = _fields(owned, old, new)
    return _told(stored, rest, fields, now) if fields is not None else None


def _told(stored: list[Manifest], rest: list[Manifest], fields: Manifest, now: str) -> list[Manifest]:
    """Pods that were created in one second and reported in one second, without addresses, share all of it."""
    key = id(stored), id(fields)
    known = _answers.get(key)
    if known is not None and known[0] is stored and known[1] is fields and known[2] == now:
        return known[3]
    answer = with_latest(rest, entry_of(KUBELET, "v1", now, fields))
    if fields is _shared.get(id(fields)):
        if len(_answers) >= MOST_SHAPES:
            _answers.clear()
        _answers[key] = stored, fields, now, answer  # Holding both keeps their ids from being given to others.
    return answer


_answers: dict[tuple[int, int], tuple[list[Manifest], Manifest, str, list[Manifest]]] = {}
_shared: dict[int, Manifest] = {}  # The fields of shapes without addresses, by their ids.


def _fields(owned: Manifest, old: Manifest, new: Manifest) -> Manifest | None:
    """What the kubelet owns then; None if the long way must be gone."""
    names = tuple([n for n in new if _FIELDS[n] in owned or n not in old or old[n] != new[n]])
    before: Manifest | None = None
    had = owned.get("f:conditions", _LEAF)
    told = []
    for each in new.get("conditions") or ():
        mine = had.get(_step(each["type"]))
        if mine is not None and "." in mine:
            told.append((each["type"], ".", *each))
            continue
        if before is None:
            before = {condition["type"]: condition for condition in old.get("conditions") or ()}
        was = before.get(each["type"])
        if was is None:
            told.append((each["type"], ".", *each))
        elif mine is not None or was != each:  # Somebody else's: what changes in it is ours.
            fields = [n for n in each if (mine and f"f:{n}" in mine) or n not in was or was[n] != each[n]]
            told.append((each["type"], *fields))
    dotted = not old.get("conditions") or "." in had
    key = (names, tuple(told), dotted)
    known = _shapes.get(key)
    if known is None:
        if len(_shapes) >= MOST_SHAPES:
            _shapes.clear()
            _shared.clear()
        known = _shapes[key] = _made(names, tuple(told), dotted)
        if not known[1]:
            _shared[id(known[0])] = known[0]
    made, addresses = known
    if not addresses:
        return made
    made = {**made["f:status"]}
    for name in addresses:
        now = new[name]
        if not now:
            return None
        if old.get(name) and [each["ip"] for each in old[name]] != [each["ip"] for each in now]:
            return None  # Addresses changed: whose the old ones were matters.
        if len(now) == 1:
            made[f"f:{name}"] = {".": _LEAF, f'k:{{"ip":"{now[0]["ip"]}"}}': _ADDRESS}
            continue
        keys = sorted(f'k:{{"ip":"{each["ip"]}"}}' for each in now)
        made[f"f:{name}"] = {".": _LEAF, **dict.fromkeys(keys, _ADDRESS)}
    return {"f:status": made}


def _made(names: tuple[str, ...], told: tuple[tuple[str, ...], ...], dotted: bool) -> tuple[Manifest, tuple[str, ...]]:
    """The fields of a shape, in order, and the lists of addresses that are to be filled in."""
    tree: Manifest = {}
    for name in sorted(names):
        if name != "conditions":
            tree[f"f:{name}"] = _LEAF
        elif told:
            entries = {_step(kind): _condition(fields) for kind, *fields in sorted(told)}
            tree["f:conditions"] = {".": _LEAF, **entries} if dotted else entries
    return {"f:status": tree}, tuple(name for name in _ADDRESSES if name in names)


@lru_cache(maxsize=256)
def _step(kind: str) -> str:
    return f'k:{{"type":"{kind}"}}'


def _condition(fields: list[str]) -> Manifest:
    return {name if name == "." else f"f:{name}": _LEAF for name in sorted(fields)}
