"""A pod's status, reported by its kubelet: who owns what then, without comparing field by field.

Two of three writes of a rollout that carry an owner are these. They come in a handful of shapes; only addresses differ,
which are keys of lists. So the tree of each shape is made once, and the addresses are put in. The outcome is what the
long way would give (a test compares them); where that is not certain, this way is not taken.

A kubelet owns what it says, but for what was there before with the same value and was not its own: the class of
quality, and of `PodScheduled`, which the binding wrote, all but the generation that it adds.

Read next: typed.py for the long way.
"""

from typing import Any

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
    tree = _tree(owned, old, new)
    if tree is None:
        return None
    entry = entry_of(KUBELET, "v1", now, {"f:status": tree})
    return sorted([*rest, entry], key=lambda each: (each["operation"], each.get("time", ""), each["manager"]))


def _tree(owned: Manifest, old: Manifest, new: Manifest) -> Manifest | None:
    """What is under `f:status`."""
    names = tuple([name for name in new if f"f:{name}" in owned or name not in old or old[name] != new[name]])
    before = {each["type"]: each for each in old.get("conditions") or ()}
    conditions = new.get("conditions") or ()
    had = owned.get("f:conditions", _LEAF)
    told = []
    for each in conditions:
        mine, was = had.get(f'k:{{"type":"{each["type"]}"}}'), before.get(each["type"])
        if was is None or (mine is not None and "." in mine):
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
        known = _shapes[key] = _made(names, tuple(told), dotted)
    made, addresses = known
    if not addresses:
        return made
    made = {**made}
    for name in addresses:
        if not new[name]:
            return None
        if old.get(name) and [each["ip"] for each in old[name]] != [each["ip"] for each in new[name]]:
            return None  # Addresses changed: whose the old ones were matters.
        keys = sorted(f'k:{{"ip":"{each["ip"]}"}}' for each in new[name])
        made[f"f:{name}"] = {".": _LEAF, **dict.fromkeys(keys, _ADDRESS)}
    return made


def _made(
    names: tuple[str, ...], told: tuple[tuple[str, ...], ...], dotted: bool
) -> tuple[Manifest, tuple[str, ...]]:
    """The tree of a shape, in order, and the lists of addresses that are to be filled in."""
    tree: Manifest = {}
    for name in sorted(names):
        if name != "conditions":
            tree[f"f:{name}"] = _LEAF
        elif told:
            entries = {f'k:{{"type":"{kind}"}}': _condition(fields) for kind, *fields in sorted(told)}
            tree["f:conditions"] = {".": _LEAF, **entries} if dotted else entries
    return tree, tuple(name for name in _ADDRESSES if name in names)


def _condition(fields: list[str]) -> Manifest:
    return {name if name == "." else f"f:{name}": _LEAF for name in sorted(fields)}
