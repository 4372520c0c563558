"""Kinds of the smaller groups, and those that only travel in requests.

Mirrors:  kubernetes/pkg/registry/{coordination,discovery,policy,scheduling}/*/strategy.go
"""

import json
from collections.abc import Callable, Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from cluster.apiserver.registry import events
from cluster.apiserver.registry.metadata import (
    IP_ADDRESS,
    duplicate,
    forbidden,
    int_or_percent_problems,
    invalid,
    is_ip,
    not_supported,
    raw_invalid,
    required,
)
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.rules import NOT_NEGATIVE, condition_problems, subdomain, too_many, unchanged
from cluster.apiserver.registry.selectors import selector_problems
from cluster.objects import Manifest
from cluster.objects.memo import IdentityMemo
from cluster.objects.names import label_value_problems, name_problems, qualified_problems

# --- policy -----------------------------------------------------------------------------------------------------


EVICTION_POLICIES = ("AlwaysAllow", "IfHealthyBudget")


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
    found += selector_problems(selector, "spec.selector")
    policy = spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in EVICTION_POLICIES:
        found.append(not_supported("spec.unhealthyPodEvictionPolicy", policy, EVICTION_POLICIES))
    return found


def _budget_status(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    status = new.get("status") or {}
    if subresource != "status":
        return []
    found = list(condition_problems(status.get("conditions") or [], "status.conditions"))
    for name in ("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"):
        if status.get(name, 0) < 0:
            found.append(invalid(f"status.{name}", status[name], NOT_NEGATIVE))
    return found


BUDGET = Resource(
    "policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", short_names=("pdb",),
    generation=True, has_status=True, subresources={"status": Subresource("PodDisruptionBudget")}, unconditional=False,
    on_create=_new_budget, validate=_validate_budget, validate_update=_budget_status,
)  # fmt: skip

# --- scheduling -------------------------------------------------------------------------------------------------

HIGHEST_USER_PRIORITY = 1_000_000_000
SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
PREEMPTION_POLICIES = ("PreemptLowerPriority", "Never")


def _default_priority_class(entry: Manifest) -> Manifest:
    missing = {} if entry.get("preemptionPolicy") else {"preemptionPolicy": "PreemptLowerPriority"}
    if "value" not in entry:
        missing["value"] = 0  # type: ignore[assignment]
    return {**entry, **missing} if missing else entry


def _validate_priority_class(entry: Manifest) -> list[Problem]:
    name = entry["metadata"].get("name", "")
    found: list[Problem] = []
    if name.startswith("system-"):
        problem = _system_problem(name, entry)
        reserved = "priority class names with 'system-' prefix are reserved for system use only"
        if problem:
            found.append(forbidden("metadata.name", f"{reserved}. error: {problem}"))
    elif entry.get("value", 0) > HIGHEST_USER_PRIORITY:
        message = f"maximum allowed value of a user defined priority is {HIGHEST_USER_PRIORITY}"
        found.append(forbidden("value", message))
    if entry.get("preemptionPolicy") not in PREEMPTION_POLICIES:
        found.append(not_supported("preemptionPolicy", entry.get("preemptionPolicy", ""), PREEMPTION_POLICIES))
    return found


def _system_problem(name: str, entry: Manifest) -> str:
    """Why a class is none of the two that the system has; empty if it is one of them."""
    if name not in SYSTEM_PRIORITIES:
        return f"{name} is not a known system priority class"
    if entry.get("value", 0) != SYSTEM_PRIORITIES[name]:
        return f"value of {name} PriorityClass must be {SYSTEM_PRIORITIES[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if entry.get("globalDefault") else ""


def _fixed_priority(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    found = []
    if old.get("value") != new.get("value"):
        found.append(forbidden("value", "may not be changed in an update."))
    if old.get("preemptionPolicy") != new.get("preemptionPolicy"):
        found.append(invalid("preemptionPolicy", new.get("preemptionPolicy", ""), "field is immutable"))
    return found


PRIORITY_CLASS = Resource(
    "scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", namespaced=False, short_names=("pc",),
    generation=True, spec_fields=(),  # It is 1, and stays so.
    default=_default_priority_class, validate=_validate_priority_class, validate_update=_fixed_priority,
)  # fmt: skip

# --- coordination, discovery, events ----------------------------------------------------------------------------


def _validate_lease(lease: Manifest) -> list[Problem]:
    spec = lease.get("spec") or {}
    found = []
    if spec.get("leaseDurationSeconds") is not None and spec["leaseDurationSeconds"] <= 0:
        found.append(invalid("spec.leaseDurationSeconds", spec["leaseDurationSeconds"], "must be greater than 0"))
    if spec.get("leaseTransitions") is not None and spec["leaseTransitions"] < 0:
        found.append(invalid("spec.leaseTransitions", spec["leaseTransitions"], NOT_NEGATIVE))
    return found


def _default_lease(lease: Manifest) -> Manifest:
    return lease if "spec" in lease else {**lease, "spec": {}}


_COORDINATED = ("strategy", "preferredHolder")  # Of a feature that is off unless somebody asks for it.


def _without_strategy(lease: Manifest) -> Manifest:
    spec = lease["spec"]
    if not any(name in spec for name in _COORDINATED):
        return lease
    return {**lease, "spec": {name: value for name, value in spec.items() if name not in _COORDINATED}}


LEASE = Resource(
    "coordination.k8s.io", "v1", "Lease", "leases", create_on_update=True, unconditional=False,
    default=_default_lease, on_create=_without_strategy,
    on_update=lambda old, new: _without_strategy(new), validate=_validate_lease,
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


ADDRESS_TYPES, PROTOCOLS = ("FQDN", "IPv4", "IPv6"), ("SCTP", "TCP", "UDP")
MOST_ENDPOINTS, MOST_PORTS, MOST_ADDRESSES, MOST_HINTS = 1_000, 20_000, 100, 8


def _validate_slice(piece: Manifest) -> list[Problem]:
    kind = piece.get("addressType", "")
    if not kind:
        return [required("addressType")]
    if kind not in ADDRESS_TYPES:
        return [not_supported("addressType", kind, ADDRESS_TYPES)]
    found = [*_port_problems(piece.get("ports") or [])]
    endpoints = piece.get("endpoints") or []
    if len(endpoints) > MOST_ENDPOINTS:
        return [*found, too_many("endpoints", len(endpoints), MOST_ENDPOINTS)]
    for number, endpoint in enumerate(endpoints):
        if not _fine.get(endpoint, kind, lambda each: not any(_endpoint_problems(each, kind, ""))):
            found += _endpoint_problems(endpoint, kind, f"endpoints[{number}]")
    return found


_fine = IdentityMemo(8192)  # Endpoints that were looked at before: a slice changes by one of a hundred.


def _port_problems(ports: list[Manifest]) -> Iterator[Problem]:
    if len(ports) > MOST_PORTS:
        yield too_many("ports", len(ports), MOST_PORTS)
        return
    names: dict[str, None] = {}
    for number, port in enumerate(ports):
        where, name, protocol = f"ports[{number}]", port.get("name") or "", port.get("protocol", "TCP")
        if name:
            yield from (invalid(f"{where}.name", name, problem) for problem in name_problems(name, "label"))
        if name in names:
            yield duplicate(f"{where}.name", name)
        names[name] = None
        if protocol not in PROTOCOLS:
            yield not_supported(f"{where}.protocol", protocol, PROTOCOLS)
        spoken = port.get("appProtocol")
        if spoken is not None:
            yield from (invalid(f"{where}.appProtocol", spoken, problem) for problem in qualified_problems(spoken))


def _endpoint_problems(endpoint: Manifest, kind: str, where: str) -> Iterator[Problem]:
    addresses = endpoint.get("addresses") or []
    if not addresses:
        yield required(f"{where}.addresses")
    elif len(addresses) > MOST_ADDRESSES:
        yield too_many(f"{where}.addresses", len(addresses), MOST_ADDRESSES)
    for place, address in enumerate(addresses):
        yield from _address_problems(address, kind, f"{where}.addresses", place)
    node, host = endpoint.get("nodeName"), endpoint.get("hostname")
    if node is not None:
        yield from subdomain(f"{where}.nodeName", node)
    if host is not None:
        yield from (invalid(f"{where}.hostname", host, problem) for problem in name_problems(host, "label"))
    hints = endpoint.get("hints") or {}
    for part, check in (("forZones", label_value_problems), ("forNodes", _node_name_problems)):
        yield from _hint_problems(hints.get(part) or [], f"{where}.hints.{part}", check)


def _node_name_problems(name: str) -> tuple[str, ...]:
    return name_problems(name, "subdomain")


def _hint_problems(hints: list[Manifest], where: str, check: Callable[[str], Iterable[str]]) -> Iterator[Problem]:
    if len(hints) > MOST_HINTS:
        yield too_many(where, len(hints), MOST_HINTS)
        return
    names: dict[str, None] = {}
    for number, hint in enumerate(hints):
        field, name = f"{where}[{number}].name", hint.get("name", "")
        if name in names:
            yield duplicate(field, name)
        names[name] = None
        yield from (invalid(field, name, problem) for problem in check(name))


def _address_problems(address: str, kind: str, where: str, place: int) -> Iterator[Problem]:
    field = f"{where}[{place}]"
    if kind == "FQDN":
        problems = name_problems(address.removesuffix("."), "subdomain")
        if problems:
            yield invalid(field, address, ",".join(problems))
        elif address.count(".") < 1:
            yield invalid(field, address, "should be a domain with at least two segments separated by dots")
        return
    if not is_ip(address):
        yield invalid(field, address, IP_ADDRESS)
        return
    found = ip_address(address)
    if f"IPv{found.version}" != kind:
        yield invalid(where, address, f"must be an {kind} address")
    yield from (invalid(field, address, problem) for problem in _unreachable(found))


_LOCAL_GROUPS = ip_network("224.0.0.0/24"), ip_network("ff02::/16")


def _unreachable(address: IPv4Address | IPv6Address) -> Iterator[str]:
    """Why packets to an address would not leave the node that sends them."""
    if address.is_unspecified:
        yield f"may not be unspecified ({address})"
    if address.is_loopback:
        yield "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    if address.is_link_local:
        yield "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    if any(address in group for group in _LOCAL_GROUPS):
        yield "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"


def _count_labels(old: Manifest, new: Manifest) -> Manifest:
    """The generation of a slice counts changes of its labels, too."""
    metadata, before = new["metadata"], old["metadata"]
    same = metadata.get("labels") == before.get("labels")
    if same or any(new.get(part) != old.get(part) for part in ("endpoints", "ports")):
        return new
    return {**new, "metadata": {**metadata, "generation": before.get("generation", 0) + 1}}


ENDPOINT_SLICE = Resource(
    "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", generation=True, spec_fields=("endpoints", "ports"),
    default=_default_slice, on_create=_new_slice, on_update=_count_labels,
    validate=_validate_slice, immutable=unchanged("addressType"),
)  # fmt: skip

NEW_EVENT = Resource(
    "events.k8s.io", "v1", "Event", "events", short_names=("ev",), create_on_update=True,
    selectable=events.NEW_SELECTABLE, stored_as="Event", to_stored=events.to_core, from_stored=events.from_core,
    validate=events.validate_new, validate_update=events.changes,
)  # fmt: skip

BINDING = Resource("", "v1", "Binding", "bindings", verbs=("create",))  # Pods are bound by it; none is ever stored.

RESOURCES = (BUDGET, PRIORITY_CLASS, LEASE, ENDPOINT_SLICE, NEW_EVENT, BINDING)

BODIES = (
    Resource("policy", "v1", "Eviction", "evictions", verbs=("create",)),
    Resource("autoscaling", "v1", "Scale", "scales", verbs=()),
    Resource("", "v1", "DeleteOptions", "deleteoptions", verbs=()),
)
