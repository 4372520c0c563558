"""storage.k8s.io and node.k8s.io: classes of storage and of runtimes, and what CSI drivers say of themselves.

Mirrors:  kubernetes/pkg/apis/storage/{v1/defaults.go, validation/validation.go}, pkg/apis/node/validation
Left out: migration of in-tree volumes, inline volume specs of attachments.
"""

from collections.abc import Iterator

from cluster.apiserver.registry.metadata import (
    duplicate,
    forbidden,
    invalid,
    not_supported,
    raw_invalid,
    required,
    too_long,
)
from cluster.apiserver.registry.resource import Problem, Resource, Subresource, UpdateCheck
from cluster.apiserver.registry.rules import unchanged
from cluster.apiserver.registry.selectors import selector_problems, shown
from cluster.objects import Manifest, quantity
from cluster.objects.names import name_problems, qualified_problems

GROUP = "storage.k8s.io"
MAX_PARAMETERS, MAX_PARAMETERS_SIZE = 512, 256 * 1024  # Entries; bytes of all of them.
MAX_DRIVER_NAME = 63
NOT_NEGATIVE = "must be greater than or equal to 0"


def _fixed(*fields: str) -> UpdateCheck:
    """Fields that never change after creation, in the words of a validator of single fields."""

    def check(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
        return [
            raw_invalid(field, shown(_at(new, field)), "field is immutable")
            for field in fields
            if _at(old, field) != _at(new, field)
        ]

    return check


def _at(obj: Manifest, path: str) -> Manifest | None:
    value = obj
    for key in path.split("."):
        value = (value or {}).get(key)  # type: ignore[assignment]
    return value


def _driver_name(name: str, where: str) -> Iterator[Problem]:
    if not name:
        yield required(where)
        return
    if len(name) > MAX_DRIVER_NAME:
        yield too_long(where, MAX_DRIVER_NAME)
    yield from (invalid(where, name, problem) for problem in name_problems(name.lower(), "subdomain"))


def _parameters(parameters: Manifest, where: str) -> Iterator[Problem]:
    if len(parameters) > MAX_PARAMETERS:
        message = f"Too long: may not have more than {MAX_PARAMETERS} items"
        yield {"reason": "FieldValueTooLong", "message": message, "field": where}
    for key in sorted(parameters):
        if not key:
            yield invalid(where, key, "field can not be empty.")
    if sum(len(key) + len(value) for key, value in parameters.items()) > MAX_PARAMETERS_SIZE:
        yield too_long(where, MAX_PARAMETERS_SIZE)


# --- StorageClass -----------------------------------------------------------------------------------------------

POLICIES, MODES = ("Delete", "Retain"), ("Immediate", "WaitForFirstConsumer")


def _default_class(entry: Manifest) -> Manifest:
    missing = {}
    if not entry.get("reclaimPolicy"):
        missing["reclaimPolicy"] = "Delete"
    if not entry.get("volumeBindingMode"):
        missing["volumeBindingMode"] = "Immediate"
    return {**entry, **missing} if missing else entry


def _class_problems(entry: Manifest) -> list[Problem]:
    provisioner, found = entry.get("provisioner", ""), list[Problem]()
    if not provisioner:
        found.append(required("provisioner"))
    else:
        found += [invalid("provisioner", provisioner, p) for p in qualified_problems(provisioner.lower())]
    found += _parameters(entry.get("parameters") or {}, "parameters")
    if entry.get("reclaimPolicy") not in POLICIES:
        found.append(not_supported("reclaimPolicy", entry.get("reclaimPolicy", ""), POLICIES))
    if entry.get("volumeBindingMode") not in MODES:
        found.append(not_supported("volumeBindingMode", entry.get("volumeBindingMode", ""), MODES))
    for number, term in enumerate(entry.get("allowedTopologies") or []):
        found += _topology(term, f"allowedTopologies[{number}]")
    return found


def _topology(term: Manifest, where: str) -> Iterator[Problem]:
    seen: dict[str, None] = {}
    for number, expression in enumerate(term.get("matchLabelExpressions") or []):
        key, values = expression.get("key", ""), expression.get("values") or []
        field = f"{where}.matchLabelExpressions[{number}]"
        yield from (invalid(f"{field}.key", key, problem) for problem in qualified_problems(key))
        if not values:
            yield required(f"{field}.values")
        for place, value in enumerate(values):
            if value in values[:place]:
                yield duplicate(f"{field}.values[{place}]", value)
        if key in seen:
            yield duplicate(f"{field}.key", key)
        seen[key] = None


STORAGE_CLASS = Resource(
    GROUP, "v1", "StorageClass", "storageclasses", namespaced=False, returns_deleted=True,
    short_names=("sc",), default=_default_class,
    validate=_class_problems, immutable=unchanged("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
)  # fmt: skip


def _attributes_problems(entry: Manifest) -> list[Problem]:
    driver, parameters = entry.get("driverName", ""), entry.get("parameters") or {}
    found = [required("driverName")] if not driver else []
    found += [invalid("driverName", driver.lower(), p) for p in (qualified_problems(driver.lower()) if driver else ())]
    if not parameters:
        return [*found, required("parameters", "must contain at least one key/value pair")]
    return [*found, *_parameters(parameters, "parameters")]


def _attributes_changes(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    names = ("driverName", "parameters")
    return [forbidden(n, f"updates to {n} are forbidden.") for n in names if old.get(n) != new.get(n)]


ATTRIBUTES_CLASS = Resource(
    GROUP, "v1", "VolumeAttributesClass", "volumeattributesclasses", namespaced=False, returns_deleted=True,
    short_names=("vac",),
    validate=_attributes_problems, validate_update=_attributes_changes,
)  # fmt: skip

# --- VolumeAttachment -------------------------------------------------------------------------------------------


def _attachment_problems(entry: Manifest) -> list[Problem]:
    spec = entry.get("spec") or {}
    found = list(_driver_name(spec.get("attacher", ""), "spec.attacher"))
    if not spec.get("nodeName"):
        found.append(required("spec.nodeName"))
    source = spec.get("source") or {}
    name, inline = source.get("persistentVolumeName"), source.get("inlineVolumeSpec")
    if name is None and inline is None:
        found.append(required("spec.source", "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
    elif name is not None and inline is not None:
        message = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        found.append(forbidden("spec.source", message))
    elif name is not None:
        where = "spec.source.persistentVolumeName"
        found += (
            [required(where, "must specify non empty persistentVolumeName")]
            if not name
            else [invalid(where, name, problem) for problem in name_problems(name, "subdomain")]
        )
    return found


VOLUME_ATTACHMENT = Resource(
    GROUP, "v1", "VolumeAttachment", "volumeattachments", namespaced=False, returns_deleted=True, has_status=True,
    subresources={"status": Subresource("VolumeAttachment")}, unconditional=False,
    on_create=lambda entry: {**entry, "status": {"attached": False}},
    validate=_attachment_problems, immutable=unchanged("spec"),
)  # fmt: skip

# --- what CSI drivers say of themselves -------------------------------------------------------------------------

GROUP_POLICIES, LIFECYCLES = ("File", "None", "ReadWriteOnceWithFSType"), ("Ephemeral", "Persistent")
_DRIVER_DEFAULTS = {
    "attachRequired": True, "podInfoOnMount": False, "volumeLifecycleModes": ["Persistent"], "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType", "requiresRepublish": False, "seLinuxMount": False,
    "preventPodSchedulingIfMissing": False,
}  # fmt: skip


def _default_driver(driver: Manifest) -> Manifest:
    spec = driver.get("spec") or {}
    if all(spec.get(name) not in (None, []) for name in _DRIVER_DEFAULTS):
        return driver
    given = {name: value for name, value in spec.items() if value not in (None, [])}
    return {**driver, "spec": {**_DRIVER_DEFAULTS, **given}}


def _driver_problems(driver: Manifest) -> list[Problem]:
    name, spec = driver["metadata"].get("name", ""), driver.get("spec") or {}
    found = [too_long("metadata.name", MAX_DRIVER_NAME)] if len(name) > MAX_DRIVER_NAME else []
    if spec.get("fsGroupPolicy") not in GROUP_POLICIES:
        found.append(not_supported("spec.fsGroupPolicy", spec.get("fsGroupPolicy", ""), GROUP_POLICIES))
    audiences: dict[str, None] = {}
    for number, request in enumerate(spec.get("tokenRequests") or []):
        where, audience = f"spec.tokenRequests[{number}]", request.get("audience", "")
        seconds = request.get("expirationSeconds")
        if audience in audiences:
            found.append(duplicate(f"{where}.audience", audience))
        audiences[audience] = None
        if seconds is not None and seconds < 600:
            message = "may not specify a duration less than 10 minutes"
            found.append(invalid(f"{where}.expirationSeconds", seconds, message))
        elif seconds is not None and seconds > 1 << 32:
            message = "may not specify a duration larger than 2^32 seconds"
            found.append(invalid(f"{where}.expirationSeconds", seconds, message))
    for mode in spec.get("volumeLifecycleModes") or []:
        if mode not in LIFECYCLES:
            found.append(not_supported("spec.volumeLifecycleModes", mode, LIFECYCLES))
    return found


def _driver_changes(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    changed = _fixed("spec.attachRequired", "spec.volumeLifecycleModes")(old, new, subresource)
    names = {"spec.attachRequired": "spec.attachedRequired"}  # The real server misspells it.
    return [{**problem, "field": names.get(problem["field"], problem["field"])} for problem in changed]


CSI_DRIVER = Resource(
    GROUP, "v1", "CSIDriver", "csidrivers", namespaced=False, returns_deleted=True,
    unconditional=False, default=_default_driver, validate=_driver_problems,
    immutable=_driver_changes,
)  # fmt: skip


def _default_csi_node(node: Manifest) -> Manifest:
    spec = node.get("spec") or {}
    missing: Manifest = {} if "status" in node else {"status": {}}
    return {**node, "spec": {**spec, "drivers": spec.get("drivers") or None}, **missing}


def _csi_node_problems(node: Manifest) -> list[Problem]:
    found: list[Problem] = []
    names: dict[str, None] = {}
    for number, driver in enumerate((node.get("spec") or {}).get("drivers") or []):
        where, name, identity = f"spec.drivers[{number}]", driver.get("name", ""), driver.get("nodeID", "")
        found += _driver_name(name, f"{where}.name")
        if name in names:
            found.append(duplicate(f"{where}.name", name))
        names[name] = None
        if not identity:
            found.append(required(f"{where}.nodeID"))
        elif len(identity) > 256:
            found.append(invalid(f"{where}.nodeID", identity, "must be 256 characters or less"))
        count = (driver.get("allocatable") or {}).get("count")
        if count is not None and count < 0:
            found.append(invalid(f"{where}.allocatable.count", count, NOT_NEGATIVE))
        keys = driver.get("topologyKeys") or []
        for place, key in enumerate(keys):
            if key in keys[:place]:
                found.append(duplicate(f"{where}.topologyKeys", key))
            found += [invalid(f"{where}.topologyKeys", key, problem) for problem in qualified_problems(key)]
    return found


CSI_NODE = Resource(
    GROUP, "v1", "CSINode", "csinodes", namespaced=False, returns_deleted=True, unconditional=False,
    subresources={"status": Subresource("CSINode")}, default=_default_csi_node, validate=_csi_node_problems,
)  # fmt: skip


def _capacity_problems(entry: Manifest) -> list[Problem]:
    found: list[Problem] = []
    for name in ("capacity", "maximumVolumeSize"):
        value = entry.get(name)
        if value is not None and quantity.parse(value)[0] < 0:
            found.append(invalid(name, value, NOT_NEGATIVE))
    name = entry.get("storageClassName", "")
    if not name:
        found.append(required("storageClassName"))
    else:
        found += [invalid("storageClassName", name, problem) for problem in name_problems(name, "subdomain")]
    return [*found, *selector_problems(entry.get("nodeTopology"), "nodeTopology")]


CSI_STORAGE_CAPACITY = Resource(
    GROUP, "v1", "CSIStorageCapacity", "csistoragecapacities", validate=_capacity_problems, unconditional=False,
    immutable=_fixed("nodeTopology", "storageClassName"),
)  # fmt: skip

# --- RuntimeClass -----------------------------------------------------------------------------------------------


def _runtime_problems(entry: Manifest) -> list[Problem]:
    handler, found = entry.get("handler", ""), list[Problem]()
    if not handler:
        found.append(required("handler"))
    else:
        found += [invalid("handler", handler, problem) for problem in name_problems(handler, "label")]
    for name, value in ((entry.get("overhead") or {}).get("podFixed") or {}).items():
        if quantity.parse(value)[0] < 0:
            found.append(invalid(f"overhead.podFixed[{name}]", value, NOT_NEGATIVE))
    for key in (entry.get("scheduling") or {}).get("nodeSelector") or {}:
        found += [invalid("scheduling.nodeSelector", key, problem) for problem in qualified_problems(key)]
    return found


RUNTIME_CLASS = Resource(
    "node.k8s.io", "v1", "RuntimeClass", "runtimeclasses", namespaced=False, validate=_runtime_problems,
    create_on_update=True, unconditional=False, immutable=unchanged("handler"),
)  # fmt: skip

RESOURCES = (
    CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY, STORAGE_CLASS, VOLUME_ATTACHMENT, ATTRIBUTES_CLASS, RUNTIME_CLASS,
)  # fmt: skip
