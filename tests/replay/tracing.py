"""A world's revision log in the form of the recordings: what a watcher of one namespace saw, and what was done.

    {"STEP": text, "request": …}                         something was done
    {"RESPONSE": code, "body": …}                        its answer, if it is a Status
    {"type": ADDED | MODIFIED | DELETED, "kind", "name", "object" | "diff", "removed"}
    {"event": ADDED | MODIFIED, "type", "reason", "message", "source", "count", "object": "Pod/web"}

`diff` and `removed` speak of flattened paths; items of lists are addressed by their type or name where they have one.
"""

from typing import Any

import orjson

from cluster.apiserver.commits import Write

Item = dict[str, Any]
Flat = dict[str, Any]

HIDDEN = ("Lease",)  # Heartbeats are not in the recordings.
TYPES = {"create": "ADDED", "update": "MODIFIED", "delete": "DELETED"}


def flatten(value: Any, path: str = "") -> Flat:
    """{path: leaf}; an empty dict or list is a leaf.

    >>> flatten({"a": [{"name": "x", "b": 1}], "c": {}})
    {'a[x].name': 'x', 'a[x].b': 1, 'c': {}}
    """
    if isinstance(value, dict) and value:
        pairs = [(f"{path}.{key}" if path else key, item) for key, item in value.items()]
    elif isinstance(value, list) and value:
        pairs = [(f"{path}[{label}]", item) for label, item in zip(_labels(value), value, strict=True)]
    else:
        return {path: value}
    return {leaf: found for where, item in pairs for leaf, found in flatten(item, where).items()}


def _labels(items: list[Any]) -> list[Any]:
    if all(isinstance(item, dict) and ("type" in item or "name" in item) for item in items):
        return [item.get("type") or item.get("name") for item in items]
    return list(range(len(items)))


class Tracer:
    """Turns revisions into items, one after another. `names`: the cluster-wide objects that were watched too."""

    def __init__(self, namespace: str, names: set[str]) -> None:
        self.namespace, self.names = namespace, names
        self._known: dict[str, Item] = {}

    def watch(self, writes: list[Write]) -> list[Item]:
        """What a watcher saw of these writes."""
        return [item for write in writes for item in self._seen(write)]

    def _seen(self, write: Write) -> list[Item]:
        obj = orjson.loads(write.value)
        kind, metadata = obj["kind"], obj["metadata"]
        metadata.pop("managedFields", None)  # The recordings were stripped of them, too.
        before = self._known.pop(write.key, None)
        if write.verb != "delete":
            self._known[write.key] = obj
        at = write.sim_time / 1_000_000
        if kind in HIDDEN or not self._is_watched(metadata):
            return []
        type_ = TYPES[write.verb]
        if kind == "Event":
            return [{"t": at, "event": type_, **_said(obj)}] if type_ != "DELETED" else []
        item = {"t": at, "type": type_, "kind": kind, "name": metadata["name"]}
        if type_ == "ADDED":
            item["object"] = obj
        elif type_ == "MODIFIED":
            old, new = flatten(before or {}), flatten(obj)
            item["diff"] = {path: value for path, value in new.items() if path not in old or old[path] != value}
            item["removed"] = [path for path in old if path not in new]
            if kind == "Node" and _is_heartbeat(item):
                return []
        return [item]

    def _is_watched(self, metadata: Item) -> bool:
        if "namespace" in metadata:
            return bool(metadata["namespace"] == self.namespace)
        return metadata["name"] in self.names


def _said(event: Item) -> Item:
    about = event.get("involvedObject") or {}
    return {
        "type": event.get("type"),
        "reason": event.get("reason"),
        "message": event.get("message"),
        "source": (event.get("source") or {}).get("component"),
        "reportingComponent": event.get("reportingComponent"),
        "count": event.get("count"),
        "object": f"{about.get('kind')}/{about.get('name')}",
        "name": event["metadata"]["name"],
    }


def _is_heartbeat(item: Item) -> bool:
    quiet = ("lastHeartbeatTime", "resourceVersion")
    return not item["removed"] and all(path.endswith(quiet) for path in item["diff"])
