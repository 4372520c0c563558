"""A write that says other numbers than before: who owns what stays as it is, only the time moves.

That is nearly every report of a controller, every renewal of a lease and every heartbeat of a node: a ReplicaSet counts
its pods some hundred times in a rollout, and owns the same fields all the while. If whoever writes has every field that
changed, and nobody else has any field of that part, then the long way would come to the same set; where that is not
plain to see, this way is not taken.

Read next: kubelets.py for pods, typed.py for the long way.
"""

from typing import Any

from cluster.apiserver.fieldmanager.managers import UPDATE, Manager, entry_of
from cluster.objects import Manifest

_LEAF: Manifest = {}
_WHOLE = ("images",)  # Lists that are one field.


def report(stored: list[Manifest], old: Manifest, new: Manifest, who: Manager, now: str) -> list[Manifest] | None:
    """managedFields after the report; None if the long way must be gone."""
    mine: Manifest | None = None
    for entry in stored:
        if "f:status" not in entry["fieldsV1"]:
            continue
        if mine is not None or not _is_of(entry, who):
            return None
        mine = entry
    if mine is None:
        return None
    fields, came = mine["fieldsV1"], tuple([name for name in _WHOLE if new.get(name) and name not in old])
    if came:  # A node's first image.
        old = {**old, **{name: new[name] for name in came}}
        fields = _with(fields, came)
    if not _same_fields(fields["f:status"], old, new):
        return None
    rest = [entry for entry in stored if entry is not mine]
    return with_latest(rest, entry_of(who, who.api_version, now, fields))


def _with(fields: Manifest, came: tuple[str, ...]) -> Manifest:
    """The fields and these of the status, in order: names stand before all else but the dot."""
    known = _grown.get((id(fields), came))
    if known is not None and known[0] is fields:
        return known[1]
    if len(_grown) >= MOST_GROWN:
        _grown.clear()
    status = {**fields["f:status"], **{f"f:{name}": _LEAF for name in came}}
    made = {**fields, "f:status": dict(sorted(status.items()))}
    _grown[id(fields), came] = fields, made  # Holding `fields` keeps its id from being given to another dict.
    return made


MOST_GROWN = 1_024
_grown: dict[tuple[int, tuple[str, ...]], tuple[Manifest, Manifest]] = {}


def renewal(stored: list[Manifest], old: Manifest, new: Manifest, who: Manager, now: str) -> list[Manifest] | None:
    """managedFields after a new spec, if that is all and `who` is the only owner; None if the long way must be gone."""
    if len(stored) != 1 or not _is_of(stored[0], who) or old.keys() != new.keys():
        return None
    for name, after in new.items():
        if name != "spec" and after is not old[name] and after != old[name]:
            return None
    if not _same_fields(stored[0]["fieldsV1"].get("f:spec", _LEAF), old.get("spec") or {}, new.get("spec") or {}):
        return None
    return [entry_of(who, who.api_version, now, stored[0]["fieldsV1"])]


def with_latest(rest: list[Manifest], entry: Manifest) -> list[Manifest]:
    """All in order. An entry of this moment is mostly the last."""
    if not rest or _place(rest[-1]) <= _place(entry):
        return [*rest, entry]
    return sorted([*rest, entry], key=_place)


def _place(entry: Manifest) -> tuple[str, str, str, str, str]:
    return (
        entry["operation"], entry.get("time", ""), entry["manager"], entry["apiVersion"], entry.get("subresource", "")
    )  # fmt: skip


def _is_of(entry: Manifest, who: Manager) -> bool:
    return (
        entry["operation"] == UPDATE
        and entry["manager"] == who.name
        and entry["apiVersion"] == who.api_version
        and entry.get("subresource", "") == who.subresource
    )


def _same_fields(owned: Manifest, old: Manifest, new: Manifest) -> bool:
    """Does nothing come, nothing go, and is everything that differs owned? Only numbers, texts and conditions count."""
    if old.keys() != new.keys():
        return False
    for name, after in new.items():
        before = old[name]
        if before is after:
            continue
        if name in _WHOLE:
            if not before or not after or owned.get(f"f:{name}") != _LEAF:
                return False
        elif name == "conditions":
            if not _same_conditions(owned.get("f:conditions", _LEAF), before, after):
                return False
        elif isinstance(before, (dict, list)) or isinstance(after, (dict, list)):
            if before != after:
                return False
        elif owned.get(f"f:{name}") != _LEAF and before != after:
            return False
    return True


def _same_conditions(owned: Manifest, before: Any, after: Any) -> bool:
    if not isinstance(before, list) or not isinstance(after, list) or len(before) != len(after):
        return False
    for was, now in zip(before, after, strict=True):
        if was is now or was == now:
            continue
        if was.keys() != now.keys() or was.get("type") != now.get("type"):
            return False
        mine = owned.get(f'k:{{"type":"{now.get("type")}"}}', _LEAF)
        if any(was[name] != value and mine.get(f"f:{name}") != _LEAF for name, value in now.items()):
            return False
    return True
