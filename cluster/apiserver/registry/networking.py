"""networking.k8s.io: Ingresses and their classes, NetworkPolicies, and where Services' addresses come from.

Mirrors:  kubernetes/pkg/apis/networking/{v1/defaults.go, validation/validation.go}, pkg/registry/networking
Left out: the legacy annotation kubernetes.io/ingress.class beside spec.ingressClassName.
"""

import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import Any

from cluster.apiserver.registry.metadata import (
    IP_ADDRESS as NO_ADDRESS,
)
from cluster.apiserver.registry.metadata import (
    forbidden,
    invalid,
    not_supported,
    raw_invalid,
    required,
    too_long,
)
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.rules import unchanged
from cluster.apiserver.registry.selectors import selector_problems
from cluster.objects import Manifest
from cluster.objects.names import is_dns_subdomain, name_problems

GROUP = "networking.k8s.io"
IMMUTABLE = "field is immutable"
ONE_FAMILY = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
WILDCARD = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower"
    " case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used"
    " for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
PORT = "must be between 1 and 65535, inclusive"


def is_cidr(text: str) -> bool:
    """`10.9.8.0/24`, with its length: an address alone is none."""
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text and text.rpartition("/")[2].isdigit()


# --- NetworkPolicy ----------------------------------------------------------------------------------------------

POLICY_TYPES = ("Egress", "Ingress")


def _default_policy(policy: Manifest) -> Manifest:
    """Ports speak TCP; a policy is about incoming packets, and about outgoing ones if it says anything of them."""
    spec = {**(policy.get("spec") or {})}
    for direction in ("ingress", "egress"):
        if spec.get(direction):
            spec[direction] = [_default_rule(rule) for rule in spec[direction]]
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", *(["Egress"] if spec.get("egress") else [])]
    return policy if spec == policy.get("spec") else {**policy, "spec": spec}


def _default_rule(rule: Manifest) -> Manifest:
    ports = rule.get("ports") or []
    if all("protocol" in port for port in ports):
        return rule
    return {**rule, "ports": [{"protocol": "TCP", **port} for port in ports]}


def _policy_problems(policy: Manifest) -> list[Problem]:
    spec = policy.get("spec") or {}
    found = list(selector_problems(spec.get("podSelector"), "spec.podSelector"))
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for number, rule in enumerate(spec.get(direction) or []):
            where = f"spec.{direction}[{number}]"
            for place, port in enumerate(rule.get("ports") or []):
                found += _policy_port(port, f"{where}.ports[{place}]")
            for place, peer in enumerate(rule.get(peers) or []):
                found += _peer(peer, f"{where}.{peers}[{place}]")
    types = spec.get("policyTypes") or []
    if len(types) > len(POLICY_TYPES):
        shown = "[" + ",".join(f'"{kind}"' for kind in types) + "]"
        message = "may not specify more than two policyTypes"
        return [*found, raw_invalid("spec.policyTypes", shown, message)]
    for number, kind in enumerate(types):
        if kind not in POLICY_TYPES:
            found.append(not_supported(f"spec.policyTypes[{number}]", kind, POLICY_TYPES))
    return found


def _policy_port(port: Manifest, where: str) -> Iterator[Problem]:
    protocols = ("SCTP", "TCP", "UDP")
    protocol, number, end = port.get("protocol", "TCP"), port.get("port"), port.get("endPort")
    if protocol not in protocols:
        yield not_supported(f"{where}.protocol", protocol, protocols)
    if isinstance(number, int):
        if not 0 < number < 65536:
            yield invalid(f"{where}.port", number, PORT)
        if end is not None and end < number:
            yield invalid(f"{where}.endPort", end, "must be greater than or equal to `port`")
        if end is not None and not 0 < end < 65536:
            yield invalid(f"{where}.endPort", end, PORT)
    elif isinstance(number, str):
        if end is not None:
            yield invalid(f"{where}.endPort", end, "may not be specified when `port` is non-numeric")
        yield from (invalid(f"{where}.port", number, problem) for problem in port_name_problems(number))
    elif end is not None:
        yield invalid(f"{where}.endPort", end, "may not be specified when `port` is not specified")


_PORT_NAME = re.compile(r"[-a-z0-9]+")


def port_name_problems(name: str) -> Iterator[str]:
    """What is wrong with the name of a port (an IANA service name)."""
    if len(name) > 15:
        yield "must be no more than 15 characters"
    if not _PORT_NAME.fullmatch(name):
        yield "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
    if not any(character.isalpha() for character in name):
        yield "must contain at least one letter (a-z)"
    if "--" in name:
        yield "must not contain consecutive hyphens"
    if name.startswith("-") or name.endswith("-"):
        yield "must not begin or end with a hyphen"


def _peer(peer: Manifest, where: str) -> Iterator[Problem]:
    kinds = [kind for kind in ("podSelector", "namespaceSelector", "ipBlock") if peer.get(kind) is not None]
    for kind in kinds:
        if kind != "ipBlock":
            yield from selector_problems(peer[kind], f"{where}.{kind}")
    if "ipBlock" in kinds:
        yield from _block(peer["ipBlock"], f"{where}.ipBlock")
    if not kinds:
        yield required(where, "must specify a peer")
    elif len(kinds) > 1 and "ipBlock" in kinds:
        yield forbidden(where, "may not specify both ipBlock and another peer")


def _block(block: Manifest, where: str) -> Iterator[Problem]:
    cidr = block.get("cidr", "")
    if not cidr:
        yield required(f"{where}.cidr")
        return
    if not is_cidr(cidr):
        yield invalid(f"{where}.cidr", cidr, CIDR)
        return
    around = ip_network(cidr, strict=False)
    for number, text in enumerate(block.get("except") or []):
        if not is_cidr(text):
            yield invalid(f"{where}.except[{number}]", text, CIDR)
            continue
        inner = ip_network(text, strict=False)
        inside = inner.version == around.version and inner.network_address in around
        if not inside or inner.prefixlen <= around.prefixlen:
            yield invalid(f"{where}.except[{number}]", text, "must be a strict subset of `cidr`")


NETWORK_POLICY = Resource(
    GROUP, "v1", "NetworkPolicy", "networkpolicies", short_names=("netpol",), generation=True,
    default=_default_policy, validate=_policy_problems,
)  # fmt: skip

# --- Ingress ----------------------------------------------------------------------------------------------------

PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
BAD_SEQUENCES, BAD_ENDINGS = ("//", "/./", "/../", "%2f", "%2F"), ("/..", "/.")


def _new_ingress(ingress: Manifest) -> Manifest:
    return {**ingress, "status": {"loadBalancer": {}}}


def _ingress_problems(ingress: Manifest) -> list[Problem]:
    spec, found = ingress.get("spec") or {}, list[Problem]()
    rules, backend = spec.get("rules") or [], spec.get("defaultBackend")
    if not rules and backend is None:
        found.append(_null("spec", "either `defaultBackend` or `rules` must be specified"))
    if backend is not None:
        found += _backend(backend, "spec.defaultBackend")
    for number, rule in enumerate(rules):
        found += _rule(rule, f"spec.rules[{number}]")
    for number, tls in enumerate(spec.get("tls") or []):
        for place, host in enumerate(tls.get("hosts") or []):
            found += _host(host, f"spec.tls[{number}].hosts[{place}]")
    name = spec.get("ingressClassName")
    if name is not None:
        found += [invalid("spec.ingressClassName", name, problem) for problem in name_problems(name, "subdomain")]
    return found


def _null(field: str, message: str) -> Problem:
    return raw_invalid(field, "null", message)


def _rule(rule: Manifest, where: str) -> Iterator[Problem]:
    host = rule.get("host", "")
    if host:
        try:
            ip_address(host)
        except ValueError:
            yield from _host(host, f"{where}.host")
        else:
            yield invalid(f"{where}.host", host, "must be a DNS name, not an IP address")
    http = rule.get("http")
    if http is None:
        return
    if not http.get("paths"):
        yield required(f"{where}.http.paths")
    for number, path in enumerate(http.get("paths") or []):
        yield from _path(path, f"{where}.http.paths[{number}]")


def _host(host: str, where: str) -> Iterator[Problem]:
    if "*" in host:
        if not host.startswith("*.") or not is_dns_subdomain(host[2:]):
            yield invalid(where, host, WILDCARD)
        return
    yield from (invalid(where, host, problem) for problem in name_problems(host, "subdomain"))


def _path(path: Manifest, where: str) -> Iterator[Problem]:
    kind, text = path.get("pathType"), path.get("path", "")
    if kind is None:
        yield required(f"{where}.pathType", "pathType must be specified")
    elif kind not in PATH_TYPES:
        yield not_supported(f"{where}.pathType", kind, PATH_TYPES)
    elif kind != "ImplementationSpecific":
        if not text.startswith("/"):
            yield invalid(f"{where}.path", text, "must be an absolute path")
        for part in BAD_SEQUENCES:
            if part in text:
                yield invalid(f"{where}.path", text, f"must not contain '{part}'")
        for part in BAD_ENDINGS:
            if text.endswith(part):
                yield invalid(f"{where}.path", text, f"cannot end with '{part}'")
    elif text and not text.startswith("/"):
        yield invalid(f"{where}.path", text, "must be an absolute path")
    yield from _backend(path.get("backend") or {}, f"{where}.backend")


def _backend(backend: Manifest, where: str) -> Iterator[Problem]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        yield invalid(where, "", "cannot set both resource and service backends")
    elif resource is not None:
        yield from _named_reference(resource, f"{where}.resource")
    elif service is None:
        yield invalid(where, "", "resource or service backend is required")
    else:
        yield from _service_backend(service, where)


def _named_reference(reference: Manifest, where: str) -> Iterator[Problem]:
    """apiGroup, kind and name of something that lives in the same namespace, or in none."""
    group = reference.get("apiGroup")
    if group is not None:
        yield from (invalid(f"{where}.apiGroup", group, problem) for problem in name_problems(group, "subdomain"))
    for part in ("kind", "name"):
        text = reference.get(part, "")
        if not text:
            yield required(f"{where}.{part}")
        yield from (invalid(f"{where}.{part}", text, problem) for problem in name_problems(text, "path") if text)


def _service_backend(service: Manifest, around: str) -> Iterator[Problem]:
    name, port, where = service.get("name", ""), service.get("port") or {}, f"{around}.service"
    if not name:
        yield required(f"{where}.name")
    else:
        yield from (invalid(f"{where}.name", name, problem) for problem in name_problems(name, "label"))
    number, word = port.get("number") or 0, port.get("name") or ""
    if number and word:
        yield invalid(around, "", "cannot set both port name & port number")
    elif word:
        yield from (invalid(f"{where}.port.name", word, problem) for problem in port_name_problems(word))
    elif not number:
        yield required(around, "port name or number is required")
    elif not 0 < number < 65536:
        yield invalid(f"{where}.port.number", number, PORT)


INGRESS = Resource(
    GROUP, "v1", "Ingress", "ingresses", short_names=("ing",), generation=True, has_status=True,
    storage="ingress", subresources={"status": Subresource("Ingress")}, on_create=_new_ingress,
    validate=_ingress_problems,
)  # fmt: skip

# --- IngressClass -----------------------------------------------------------------------------------------------

MAX_CONTROLLER = 250


def _default_class(entry: Manifest) -> Manifest:
    spec = entry.get("spec") or {}
    parameters = spec.get("parameters")
    if not parameters or parameters.get("scope"):
        return entry
    return {**entry, "spec": {**spec, "parameters": {**parameters, "scope": "Cluster"}}}


def _class_problems(entry: Manifest) -> list[Problem]:
    spec = entry.get("spec") or {}
    controller, parameters = spec.get("controller", ""), spec.get("parameters")
    found: list[Problem] = []
    if len(controller) > MAX_CONTROLLER:
        found.append(too_long("spec.controller", MAX_CONTROLLER))
    domain, _, path = controller.partition("/")
    if not controller:
        found.append(required("spec.controller"))
    elif not domain or not path:
        message = 'must be a domain-prefixed path (such as "acme.io/foo")'
        found.append(invalid("spec.controller", controller, message))
    else:
        found += [invalid("spec.controller", domain, problem) for problem in name_problems(domain, "subdomain")]
    return [*found, *_parameters(parameters)] if parameters is not None else found


def _parameters(parameters: Manifest) -> Iterator[Problem]:
    where, scope = "spec.parameters", parameters.get("scope")
    yield from _named_reference(parameters, where)
    if scope is None:
        yield required(f"{where}.scope")
    elif scope == "Namespace":
        if parameters.get("namespace") is None:
            yield required(f"{where}.namespace", "`parameters.scope` is set to 'Namespace'")
        else:
            space = parameters["namespace"]
            yield from (invalid(f"{where}.namespace", space, problem) for problem in name_problems(space, "label"))
    elif scope == "Cluster":
        if parameters.get("namespace") is not None:
            yield forbidden(f"{where}.namespace", "`parameters.scope` is set to 'Cluster'")
    else:
        yield not_supported(f"{where}.scope", scope, ("Cluster", "Namespace"))


def _fixed_controller(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    before, after = ((entry.get("spec") or {}).get("controller", "") for entry in (old, new))
    return [] if before == after else [invalid("spec.controller", after, "field is immutable")]


INGRESS_CLASS = Resource(
    GROUP, "v1", "IngressClass", "ingressclasses", namespaced=False, generation=True,
    default=_default_class, validate=_class_problems, immutable=_fixed_controller,
)  # fmt: skip

# --- where Services' addresses come from ------------------------------------------------------------------------


def _address_problems(entry: Manifest) -> list[Problem]:
    name, parent = entry["metadata"].get("name", ""), (entry.get("spec") or {}).get("parentRef")
    found: list[Problem] = []
    canonical = _canonical(name)
    if canonical is None:
        found.append(invalid("metadata.name", name, NO_ADDRESS))
    elif canonical != name:
        found.append(invalid("metadata.name", name, f'must be in canonical form ("{canonical}")'))
    if parent is None:
        return [*found, required("spec.parentRef")]
    where, group = "spec.parentRef", parent.get("group", "")
    if group:
        found += [invalid(f"{where}.group", group, problem) for problem in name_problems(group, "subdomain")]
    for part in ("resource", "name", "namespace"):
        text = parent.get(part, "")
        found += [invalid(f"{where}.{part}", text, problem) for problem in name_problems(text, "path") if text]
    return [*found, *(required(f"{where}.{part}") for part in ("resource", "name") if not parent.get(part))]


def _canonical(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _range_changes(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    """A range stays; one of the other family may join it."""
    before, after = ((entry.get("spec") or {}).get("cidrs") or [] for entry in (old, new))
    if len(before) == len(after) or (len(before), len(after)) == (1, 2):
        return [
            invalid(f"spec.cidrs[{number}]", new_one, IMMUTABLE)
            for number, (old_one, new_one) in enumerate(zip(before, after, strict=False))
            if old_one != new_one
        ]
    return [raw_invalid("spec.cidrs", _json(after), IMMUTABLE)]


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f'"{key}":{_json(inner)}' for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    return "null" if value is None else f'"{value}"'


def _range_problems(entry: Manifest) -> list[Problem]:
    cidrs = (entry.get("spec") or {}).get("cidrs") or []
    if not cidrs:
        return [required("spec.cidrs", "at least one CIDR required")]
    if len(cidrs) > 2:
        return [raw_invalid("spec.cidrs", _json({"CIDRs": cidrs}), "may only hold up to 2 values")]
    found: list[Problem] = []
    for number, text in enumerate(cidrs):
        where = f"spec.cidrs[{number}]"
        if not is_cidr(text):
            found.append(invalid(where, text, CIDR))
        elif str(ip_network(text, strict=False)) != text:
            shown = ip_network(text, strict=False)
            found.append(invalid(where, text, f'must be in canonical form ("{shown}")'))
    if not found and len(cidrs) == 2 and len({ip_network(text).version for text in cidrs}) == 1:
        found.append(raw_invalid("spec.cidrs", _json(cidrs), ONE_FAMILY))
    return found


IP_ADDRESS = Resource(
    GROUP, "v1", "IPAddress", "ipaddresses", namespaced=False, short_names=("ip",),
    generation=True, name_rule="any", validate=_address_problems, immutable=unchanged("spec.parentRef"),
)  # fmt: skip
SERVICE_CIDR = Resource(
    GROUP, "v1", "ServiceCIDR", "servicecidrs", namespaced=False, has_status=True, generation=True,
    subresources={"status": Subresource("ServiceCIDR")}, on_create=lambda entry: {**entry, "status": {}},
    validate=_range_problems, immutable=_range_changes,
)  # fmt: skip

RESOURCES = (INGRESS_CLASS, INGRESS, IP_ADDRESS, NETWORK_POLICY, SERVICE_CIDR)
