"""Kinds of the smaller groups, and those that only travel in requests.

Mirrors:  kubernetes/pkg/registry/{coordination,discovery,policy,scheduling}/*/strategy.go
"""

from cluster.apiserver.registry import events
from cluster.apiserver.registry.metadata import forbidden, invalid, required
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.objects import Manifest

# --- policy -----------------------------------------------------------------------------------------------------


def _new_budget(budget: Manifest) -> Manifest:
    status = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
    return {**budget, "status": status}


def _validate_budget(budget: Manifest) -> list[Problem]:
    spec = budget.get("spec") or {}
    if spec.get("minAvailable") is not None and spec.get("maxUnavailable") is not None:
        shown = "{" + f'"minAvailable":{spec["minAvailable"]},"maxUnavailable":{spec["maxUnavailable"]}' + "}"
        message = f"Invalid value: {shown}: minAvailable and maxUnavailable cannot be both set"
        return [{"reason": "FieldValueInvalid", "message": message, "field": "spec"}]
    found = []
    for name in ("minAvailable", "maxUnavailable"):
        value = spec.get(name)
        if isinstance(value, int) and value < 0:
            found.append(invalid(f"spec.{name}", value, "must be greater than or equal to 0"))
        elif isinstance(value, str) and not (value.endswith("%") and value[:-1].isdigit()):
            message = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')"
            found.append(invalid(f"spec.{name}", value, message))
    return found


BUDGET = Resource(
    "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short_names=("pdb",), generation=True, has_status=True,
    subresources={"status": Subresource("PodDisruptionBudget")}, on_create=_new_budget, validate=_validate_budget,
)  # fmt: skip

# --- scheduling -------------------------------------------------------------------------------------------------

HIGHEST_USER_PRIORITY = 1_000_000_000


def _default_priority_class(entry: Manifest) -> Manifest:
    missing = {} if entry.get("preemptionPolicy") else {"preemptionPolicy": "PreemptLowerPriority"}
    if "value" not in entry:
        missing["value"] = 0  # type: ignore[assignment]
    return {**entry, **missing} if missing else entry


def _validate_priority_class(entry: Manifest) -> list[Problem]:
    name = entry["metadata"].get("name", "")
    if name.startswith("system-"):
        if name in ("system-node-critical", "system-cluster-critical"):
            return []
        return [forbidden("metadata.name", "priority class names with 'system-' prefix are reserved for system use only")]
    if entry.get("value", 0) > HIGHEST_USER_PRIORITY:
        return [forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}")]
    return []


def _fixed_priority(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    found = []
    if old.get("value") != new.get("value"):
        found.append(forbidden("value", "may not be changed in an update."))
    if old.get("preemptionPolicy") != new.get("preemptionPolicy"):
        found.append(invalid("preemptionPolicy", new.get("preemptionPolicy", ""), "field is immutable"))
    return found


PRIORITY_CLASS = Resource(
    "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False, short_names=("pc",), generation=True,
    spec_fields=("value", "globalDefault", "description", "preemptionPolicy"),
    default=_default_priority_class, validate=_validate_priority_class, validate_update=_fixed_priority,
)  # fmt: skip

# --- coordination, discovery, events ----------------------------------------------------------------------------


def _validate_lease(lease: Manifest) -> list[Problem]:
    spec = lease.get("spec") or {}
    found = []
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        found.append(invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"))
    if spec.get("leaseTransitions") is not None and spec["leaseTransitions"] < 0:
        found.append(invalid("spec.leaseTransitions", spec["leaseTransitions"], "must be greater than or equal to 0"))
    return found


def _default_lease(lease: Manifest) -> Manifest:
    return lease if "spec" in lease else {**lease, "spec": {}}


LEASE = Resource(
    "coordination.k8s.io", "v1", "Lease", "leases", create_on_update=True,
    selectable=("spec.holderIdentity",), default=_default_lease, validate=_validate_lease,
)  # fmt: skip


def _default_slice(piece: Manifest) -> Manifest:
    ports, endpoints = piece.get("ports") or [], piece.get("endpoints") or []
    if all("name" in port and "protocol" in port for port in ports) and all("conditions" in e for e in endpoints):
        return piece
    new = {**piece}
    if ports:
        new["ports"] = [{"name": "", "protocol": "TCP", **port} for port in ports]
    if endpoints:
        new["endpoints"] = [{**endpoint, "conditions": endpoint.get("conditions") or {}} for endpoint in endpoints]
    return new


def _new_slice(piece: Manifest) -> Manifest:
    return {**piece, "endpoints": piece.get("endpoints"), "ports": piece.get("ports")}


def _validate_slice(piece: Manifest) -> list[Problem]:
    return [] if piece.get("addressType") else [required("addressType")]


ENDPOINT_SLICE = Resource(
    "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", generation=True, spec_fields=("endpoints", "ports"),
    default=_default_slice, on_create=_new_slice, validate=_validate_slice,
)  # fmt: skip

NEW_EVENT = Resource(
    "events.k8s.io", "v1", "Event", "events", short_names=("ev",), create_on_update=True,
    selectable=events.NEW_SELECTABLE, stored_as="Event", to_stored=events.to_core, from_stored=events.from_core,
)  # fmt: skip

RESOURCES = (BUDGET, PRIORITY_CLASS, LEASE, ENDPOINT_SLICE, NEW_EVENT)

BODIES = (
    Resource("", "v1", "Binding", "bindings", verbs=("create",)),
    Resource("policy", "v1", "Eviction", "evictions", verbs=("create",)),
    Resource("autoscaling", "v1", "Scale", "scales", verbs=()),
    Resource("", "v1", "DeleteOptions", "deleteoptions", verbs=()),
)
