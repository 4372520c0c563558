"""Reading a cluster as the page needs it: objects from committed rows, never from a running world.

Read next: cluster/models.py for the tables; mirror.py for what is read continuously.
"""

from collections.abc import Iterator

import orjson
from django.db.models import QuerySet

from cluster.apiserver import registry
from cluster.models import Cluster, Revision, StoredObject
from cluster.objects import Manifest


def get(cluster: Cluster, kind: str, namespace: str, name: str) -> Manifest | None:
    """The newest committed state of one living object."""
    resource = registry.by_kind(kind)
    key = resource.storage_key(namespace if resource.namespaced else "", name)
    stored = StoredObject.objects.filter(pk=f"{cluster.pk}:{key}").values_list("revision", flat=True).first()
    if stored is None:
        return None
    value = Revision.objects.filter(pk=stored).values_list("value", flat=True).first()
    return None if value is None else orjson.loads(bytes(value))


def exists(cluster: Cluster, kind: str, namespace: str, name: str) -> bool:
    """Is there an object of that name now?"""
    key = registry.by_kind(kind).storage_key(namespace, name)
    return StoredObject.objects.filter(pk=f"{cluster.pk}:{key}").exists()


def keys(cluster: Cluster, kind: str) -> list[str]:
    """ "namespace/name", or "name", of all living objects of a kind, in order; the objects themselves are not read."""
    prefix = _prefix(cluster, kind)
    return [identity.removeprefix(prefix) for identity in _stored(prefix).values_list("pk", flat=True)]


def _prefix(cluster: Cluster, kind: str) -> str:
    return f"{cluster.pk}:{registry.by_kind(kind).storage_prefix()}"


def _stored(prefix: str) -> QuerySet[StoredObject]:
    return StoredObject.objects.filter(pk__gte=prefix, pk__lt=prefix[:-1] + chr(ord(prefix[-1]) + 1)).order_by("pk")


def listing(cluster: Cluster, kind: str) -> Iterator[Manifest]:
    """All living objects of a kind, in order of their keys."""
    wanted = list(_stored(_prefix(cluster, kind)).values_list("revision", flat=True))
    for start in range(0, len(wanted), 500):
        rows = dict(Revision.objects.filter(pk__in=wanted[start : start + 500]).values_list("pk", "value"))
        for identity in wanted[start : start + 500]:
            if identity in rows:
                yield orjson.loads(bytes(rows[identity]))


def definition_of(cluster: Cluster, kind: str, api_version: str) -> Manifest | None:
    """The definition of a custom kind that serves that version; None: there is none."""
    group, _, version = api_version.partition("/")
    for definition in listing(cluster, "CustomResourceDefinition"):
        spec = definition["spec"]
        served = any(each["name"] == version and each.get("served") for each in spec["versions"])
        if spec["group"] == group and spec["names"]["kind"] == kind and served:
            return definition
    return None


def custom(cluster: Cluster, group: str, plural: str) -> Iterator[Manifest]:
    """All living objects of a custom kind."""
    wanted = list(_stored(f"{cluster.pk}:/registry/{group}/{plural}/").values_list("revision", flat=True))
    for start in range(0, len(wanted), 500):
        rows = dict(Revision.objects.filter(pk__in=wanted[start : start + 500]).values_list("pk", "value"))
        yield from (orjson.loads(bytes(rows[one])) for one in wanted[start : start + 500] if one in rows)


def kinds() -> set[str]:
    """Every kind the API server knows."""
    return {resource.kind for resource in registry.RESOURCES}
