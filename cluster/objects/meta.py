"""metadata: the part that every object has."""

from typing import Any

from cluster.objects import Manifest


def name(obj: Manifest) -> str:
    return str(obj.get("metadata", {}).get("name", ""))


def namespace(obj: Manifest) -> str:
    """The namespace; empty for kinds that have none."""
    return str(obj.get("metadata", {}).get("namespace", ""))


def uid(obj: Manifest) -> str:
    return str(obj.get("metadata", {}).get("uid", ""))


def key(obj: Manifest) -> str:
    """`namespace/name`, or `name` for kinds without namespace: how queues and caches call an object."""
    metadata = obj["metadata"]
    where = metadata.get("namespace")
    return f"{where}/{metadata['name']}" if where else str(metadata["name"])


def split_key(text: str) -> tuple[str, str]:
    """(namespace, name) of a key."""
    where, _, what = text.rpartition("/")
    return where, what


def labels(obj: Manifest) -> dict[str, str]:
    return obj.get("metadata", {}).get("labels") or {}


def annotations(obj: Manifest) -> dict[str, str]:
    return obj.get("metadata", {}).get("annotations") or {}


def created_at(obj: Manifest) -> str:
    """creationTimestamp, RFC 3339; sorts as text."""
    return str(obj["metadata"].get("creationTimestamp", ""))


def is_deleting(obj: Manifest) -> bool:
    return "deletionTimestamp" in obj.get("metadata", {})


def generation(obj: Manifest) -> int:
    return int(obj["metadata"].get("generation", 0))


def owner_reference(owner: Manifest, controller: bool = True) -> dict[str, Any]:
    """The reference that a child of `owner` carries."""
    reference = {"apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": name(owner), "uid": uid(owner)}
    return {**reference, "controller": True, "blockOwnerDeletion": True} if controller else reference


def owners(obj: Manifest) -> list[dict[str, Any]]:
    return obj.get("metadata", {}).get("ownerReferences") or []


def controller_of(obj: Manifest) -> dict[str, Any] | None:
    """The reference of the one owner that manages `obj`; None if nobody does."""
    for reference in obj.get("metadata", {}).get("ownerReferences") or ():
        if reference.get("controller"):
            return reference  # type: ignore[no-any-return]
    return None


def is_controlled_by(obj: Manifest, owner: Manifest) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference["uid"] == uid(owner)
