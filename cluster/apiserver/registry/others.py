"""Kinds of the smaller groups, and those that only travel in requests.

Mirrors:  kubernetes/pkg/registry/{coordination,discovery,policy,scheduling}/*/strategy.go
"""

import json

from cluster.apiserver.registry import events
from cluster.apiserver.registry.metadata import (
    IP_ADDRESS,
    forbidden,
    int_or_percent_problems,
    invalid,
    is_ip,
    not_supported,
    raw_invalid,
    required,
)
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import selector_problems
from cluster.objects import Manifest

# --- policy -----------------------------------------------------------------------------------------------------


def _new_budget(budget: Manifest) -> Manifest:
    status = {"disruptionsAllowed": 0, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
    return {**budget, "status": status}


def _validate_budget(budget: Manifest) -> list[Problem]:
    spec = budget.get("spec") or {}
    least, most, selector = spec.get("minAvailable"), spec.get("maxUnavailable"), spec.get("selector")
    if least is not None and most is not None:
        # The one place where the real server prints its internal struct, whose fields have capital letters.
        parts = {"MinAvailable": least, "Selector": selector, "MaxUnavailable": most}
        parts["UnhealthyPodEvictionPolicy"] = spec.get("unhealthyPodEvictionPolicy")
        shown = json.dumps(parts, separators=(",", ":"))
        return [raw_invalid("spec", shown, "minAvailable and maxUnavailable cannot be both set")]
    found: list[Problem] = []
    for name in ("minAvailable", "maxUnavailable"):
        found += int_or_percent_problems(f"spec.{name}", spec.get(name))
    return [*found, *selector_problems(selector, "spec.selector")]


BUDGET = Resource(
    "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short_names=("pdb",),
    generation=True, has_status=True, subresources={"status": Subresource("PodDisruptionBudget")}, unconditional=False,
    on_create=_new_budget, validate=_validate_budget,
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
        reserved = "priority class names with 'system-' prefix are reserved for system use only"
        return [forbidden("metadata.name", f"{reserved}. error: {name} is not a known system priority class")]
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
    "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False, short_names=("pc",),
    generation=True, spec_fields=("value", "globalDefault", "description", "preemptionPolicy"),
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
    "coordination.k8s.io", "v1", "Lease", "leases", create_on_update=True, unconditional=False,
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


ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")


def _validate_slice(piece: Manifest) -> list[Problem]:
    kind = piece.get("addressType", "")
    if not kind:
        return [required("addressType")]
    if kind not in ADDRESS_TYPES:
        return [not_supported("addressType", kind, ADDRESS_TYPES)]
    found = []
    for number, endpoint in enumerate(piece.get("endpoints") or []):
        where = f"endpoints[{number}].addresses"
        if not endpoint.get("addresses"):
            found.append(required(where, "must contain at least 1 address"))
        for place, address in enumerate(endpoint.get("addresses") or []):
            if kind != "FQDN" and not is_ip(address):
                found.append(invalid(f"{where}[{place}]", address, IP_ADDRESS))
    return found


def _same_address_type(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    before, after = old.get("addressType"), new.get("addressType", "")
    return [] if before == after else [invalid("addressType", after, "field is immutable")]


ENDPOINT_SLICE = Resource(
    "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", generation=True, spec_fields=("endpoints", "ports"),
    default=_default_slice, on_create=_new_slice, validate=_validate_slice, validate_update=_same_address_type,
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
