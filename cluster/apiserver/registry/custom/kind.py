"""One definition, one Resource a version: names from what was accepted, verbs, sub-resources, and how versions relate.

All versions of a kind differ in nothing but their name and their schema (conversion `None`), so an object of one is
shown as another by its apiVersion. What a schema says is compiled when the first object needs it.
"""

from cluster.apiserver.registry.resource import ALL_VERBS, Resource, Subresource
from cluster.objects import Manifest, conditions
from cluster.objects.memo import IdentityMemo

_resources = IdentityMemo(1024)
WHILE_TERMINATING = "create not allowed while custom resource definition is terminating"


def resources_of(definition: Manifest) -> tuple[Resource, ...]:
    """The kinds that a definition makes, newest version first; none before it is established."""
    return _resources.get(definition, "", _resources_of)  # type: ignore[no-any-return]


def type_name(group: str, version: str, kind: str) -> str:
    """The name of a kind's type in OpenAPI: `io.cert-manager.v1.Certificate`."""
    return ".".join((*reversed(group.split(".")), version, kind))


def _resources_of(definition: Manifest) -> tuple[Resource, ...]:
    names = (definition.get("status") or {}).get("acceptedNames") or {}
    known = f"{names.get('plural')}.{definition['spec']['group']}" == definition["metadata"]["name"]
    if not conditions.is_true(definition, "Established") or not known or not names.get("kind"):
        return ()
    return tuple(_resource(definition, version) for version in definition["spec"]["versions"] if version["served"])


def _resource(definition: Manifest, version: Manifest) -> Resource:
    spec, names = definition["spec"], definition["status"]["acceptedNames"]
    parts = version.get("subresources") or {}
    subresources: dict[str, Subresource] = {}
    if "status" in parts:
        subresources["status"] = Subresource(names["kind"])
    if "scale" in parts:
        subresources["scale"] = Subresource("Scale", group="autoscaling", version="v1")
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        singular=names.get("singular") or "",
        verbs=ALL_VERBS,
        subresources=subresources,
        storage=f"{spec['group']}/{names['plural']}",
        cache=definition["metadata"]["name"],
        refuses=WHILE_TERMINATING if conditions.is_true(definition, "Terminating") else "",
        list_kind=names.get("listKind") or "",
        stored_version=next(each["name"] for each in spec["versions"] if each["storage"]),
        returns_deleted=False,
        has_status="status" in parts,
        generation=True,
    )
