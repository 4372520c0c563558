"""flowcontrol.apiserver.k8s.io: who waits behind whom when the API server is busy.

A FlowSchema says which requests belong to which PriorityLevelConfiguration, and that one how many of them run at once.
Only the kinds: nothing here queues requests. `exempt` and `catch-all` are fixed, see flowcontrol_fixed.py.

Mirrors:  kubernetes/pkg/apis/flowcontrol/{v1/defaults.go, validation/validation.go}
"""

import math
from collections.abc import Iterator
from typing import Any

from cluster.apiserver.registry.flowcontrol_fixed import LEVELS, SCHEMAS
from cluster.apiserver.registry.metadata import duplicate, forbidden, invalid, not_supported, raw_invalid, required
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.rules import as_json, choice, subdomain
from cluster.objects import Manifest
from cluster.objects.names import name_problems

GROUP = "flowcontrol.apiserver.k8s.io"
MAX_PRECEDENCE, MAX_QUEUES, HASH_BITS = 10_000, 10_000_000, 60
METHODS, SUBJECTS = ("ByNamespace", "ByUser"), ("Group", "ServiceAccount", "User")
VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
EACH = "each member of this list must be '*' or a DNS-1123 label; "

# --- FlowSchema -------------------------------------------------------------------------------------------------


def _default_schema(schema: Manifest) -> Manifest:
    spec = schema.get("spec") or {}
    return schema if spec.get("matchingPrecedence") else {**schema, "spec": {**spec, "matchingPrecedence": 1000}}


def _schema_problems(schema: Manifest) -> list[Problem]:
    name, spec = schema["metadata"].get("name", ""), schema.get("spec") or {}
    found = list(_spec_problems(name, spec))
    if name in SCHEMAS and spec != SCHEMAS[name]:
        found.append(raw_invalid("spec", as_json(spec), f"spec of '{name}' must equal the fixed value"))
    return found


def _spec_problems(name: str, spec: Manifest) -> Iterator[Problem]:
    where, precedence = "spec.matchingPrecedence", spec["matchingPrecedence"]
    if precedence <= 0:
        yield invalid(where, precedence, "must be a positive value")
    if precedence > MAX_PRECEDENCE:
        yield invalid(where, precedence, f"must not be greater than {MAX_PRECEDENCE}")
    if precedence == 1 and name != "exempt":
        yield invalid(where, precedence, "only the schema named 'exempt' may have matchingPrecedence 1")
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in METHODS:
        listed = ", ".join(f'"{each}"' for each in METHODS)
        message = f"Unsupported value: {as_json({'Type': method.get('type', '')})}: supported values: {listed}"
        yield {"reason": "FieldValueNotSupported", "message": message, "field": "spec.distinguisherMethod.type"}
    level = (spec.get("priorityLevelConfiguration") or {}).get("name", "")
    if level:
        yield from subdomain("spec.priorityLevelConfiguration.name", level)
    else:
        yield required("spec.priorityLevelConfiguration.name", "must reference a priority level")
    for number, rule in enumerate(spec.get("rules") or []):
        yield from _rule(rule, f"spec.rules[{number}]")


def _rule(rule: Manifest, where: str) -> Iterator[Problem]:
    if not rule.get("subjects"):
        yield required(f"{where}.subjects", "subjects must contain at least one value")
    for number, subject in enumerate(rule.get("subjects") or []):
        yield from _subject(subject, f"{where}.subjects[{number}]")
    if not rule.get("resourceRules") and not rule.get("nonResourceRules"):
        yield required(where, "at least one of resourceRules and nonResourceRules has to be non-empty")
    for number, entry in enumerate(rule.get("resourceRules") or []):
        yield from _resource_rule(entry, f"{where}.resourceRules[{number}]")
    for number, entry in enumerate(rule.get("nonResourceRules") or []):
        yield from _url_rule(entry, f"{where}.nonResourceRules[{number}]")


_PARTS = {"ServiceAccount": "serviceAccount", "User": "user", "Group": "group"}


def _subject(subject: Manifest, where: str) -> Iterator[Problem]:
    kind = subject.get("kind", "")
    if kind not in _PARTS:
        yield not_supported(f"{where}.kind", kind, SUBJECTS)
        return
    part = _PARTS[kind]
    yield from _subject_part(subject.get(part), kind, f"{where}.{part}")
    for other, name in _PARTS.items():
        if other != kind and subject.get(name) is not None:
            yield forbidden(f"{where}.{name}", f"{name} is forbidden when subject kind is not '{other}'")


def _subject_part(part: Manifest | None, kind: str, where: str) -> Iterator[Problem]:
    if part is None:
        yield required(where, f"{_PARTS[kind]} is required when subject kind is '{kind}'")
        return
    name, namespace = part.get("name", ""), part.get("namespace", "")
    if not name:
        yield required(f"{where}.name")
    elif kind == "ServiceAccount" and name != "*":
        yield from subdomain(f"{where}.name", name)
    if kind == "ServiceAccount" and not namespace:
        yield required(f"{where}.namespace", "must specify namespace for service account")
    elif kind == "ServiceAccount":
        yield from (invalid(f"{where}.namespace", namespace, p) for p in name_problems(namespace, "label"))


def _verbs(verbs: list[str], where: str) -> Iterator[Problem]:
    if not verbs:
        yield required(where, "verbs must contain at least one value")
    elif "*" in verbs:
        yield from _alone(verbs, where, "verbs")
    elif any(verb not in VERBS for verb in verbs):
        listed = ", ".join(f'"{verb}"' for verb in VERBS)
        message = f"Unsupported value: {as_json(verbs)}: supported values: {listed}"
        yield {"reason": "FieldValueNotSupported", "message": message, "field": where}


def _alone(values: list[str], where: str, what: str) -> Iterator[Problem]:
    if len(values) > 1 and "*" in values:
        yield raw_invalid(where, as_json(values), f"if '*' is present, must not specify other {what}")


def _resource_rule(rule: Manifest, where: str) -> Iterator[Problem]:
    yield from _verbs(rule.get("verbs") or [], f"{where}.verbs")
    for name, one, many in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        if not rule.get(name):
            yield required(f"{where}.{name}", f"resource rules must supply at least one {one}")
        yield from _alone(rule.get(name) or [], f"{where}.{name}", many)
    namespaces, field = rule.get("namespaces") or [], f"{where}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        message = "resource rules that are not cluster scoped must supply at least one namespace"
        yield required(field, message)
    elif "*" in namespaces:
        yield from _alone(namespaces, field, "namespaces")
    else:
        for number, name in enumerate(namespaces):
            yield from (invalid(f"{field}[{number}]", name, f"{EACH}{p}") for p in name_problems(name, "label"))


def _url_rule(rule: Manifest, where: str) -> Iterator[Problem]:
    yield from _verbs(rule.get("verbs") or [], f"{where}.verbs")
    urls, field = rule.get("nonResourceURLs") or [], f"{where}.nonResourceURLs"
    if not urls:
        yield required(field, "nonResourceURLs must contain at least one value")
    elif "*" in urls:
        yield from _alone(urls, field, "non-resource URLs")
    else:
        for number, url in enumerate(urls):
            problem = _url_problem(url)
            if problem:
                yield invalid(f"{field}[{number}]", url, problem)


def _url_problem(path: str) -> str:
    """What is wrong with `/healthz` or `/apis/*`; empty if nothing is."""
    if not path:
        return "must not be empty"
    if not path.startswith("/"):
        return "must start with slash"
    if " " in path:
        return "must not contain white-space"
    if "//" in path:
        return "must not contain double slash"
    suffix = path.count("*") == 1 and path.endswith("/*")
    return "" if "*" not in path or suffix else "wildcard can only do suffix matching"


# --- PriorityLevelConfiguration ---------------------------------------------------------------------------------


def _default_level(level: Manifest) -> Manifest:
    spec = level.get("spec") or {}
    new = {**spec}
    if spec.get("exempt") is not None:
        new["exempt"] = {"nominalConcurrencyShares": 0, "lendablePercent": 0, **spec["exempt"]}
    if spec.get("limited") is not None:
        limited = {**spec["limited"]}
        if limited.get("nominalConcurrencyShares") is None:  # Absent, but Go writes null.
            limited["nominalConcurrencyShares"] = 30
        limited.setdefault("lendablePercent", 0)
        response = limited.get("limitResponse") or {}
        if response.get("queuing") is not None:
            given = {name: value for name, value in response["queuing"].items() if value}
            queuing = {"queues": 64, "handSize": 8, "queueLengthLimit": 50, **given}
            limited["limitResponse"] = {**response, "queuing": queuing}
        new["limited"] = limited
    return level if new == spec else {**level, "spec": new}


def _level_problems(level: Manifest) -> list[Problem]:
    name, spec = level["metadata"].get("name", ""), level.get("spec") or {}
    found = list(_level_spec(name, spec))
    fixed = LEVELS.get(name)
    if fixed is None:
        return found
    if name == "exempt":
        if {**spec, "exempt": fixed["exempt"]} != fixed:
            message = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
            found.append(raw_invalid("spec", as_json(spec), message))
    elif spec != fixed:
        found.append(raw_invalid("spec", as_json(spec), f"spec of '{name}' must equal the fixed value"))
    return found


def _level_spec(name: str, spec: Manifest) -> Iterator[Problem]:
    kind = spec.get("type", "")
    limited, exempt = spec.get("limited"), spec.get("exempt")
    if (name == "exempt") != (kind == "Exempt"):
        yield invalid("spec.type", kind, "must be 'Exempt' if and only if `name` is 'exempt'")
    if kind == "Exempt":
        if limited is not None:
            yield forbidden("spec.limited")
        yield from _shares(exempt or {}, "spec.exempt")
    elif kind == "Limited":
        if exempt is not None:
            yield forbidden("spec.exempt")
        if limited is None:
            yield required("spec.limited")
        else:
            yield from _limited(limited, "spec.limited")
    else:
        yield from choice("spec.type", kind, ("Exempt", "Limited"))


def _shares(part: Manifest, where: str) -> Iterator[Problem]:
    shares = part.get("nominalConcurrencyShares")
    if shares is not None and shares < 0:
        yield invalid(f"{where}.nominalConcurrencyShares", shares, "must be a non-negative integer")
    if part.get("limitResponse") is not None:
        yield from _response(part["limitResponse"], f"{where}.limitResponse")
    lendable = part.get("lendablePercent")
    if lendable is not None and not 0 <= lendable <= 100:
        yield invalid(f"{where}.lendablePercent", lendable, "must be between 0 and 100, inclusive")


def _limited(limited: Manifest, where: str) -> Iterator[Problem]:
    yield from _shares({"limitResponse": {}, **limited}, where)
    borrowed = limited.get("borrowingLimitPercent")
    if borrowed is not None and borrowed < 0:
        yield invalid(f"{where}.borrowingLimitPercent", borrowed, "if specified, must be a non-negative integer")


def _response(response: Manifest, where: str) -> Iterator[Problem]:
    kind, queuing = response.get("type", ""), response.get("queuing")
    if kind == "Reject":
        if queuing is not None:
            yield forbidden(f"{where}.queuing")
    elif kind == "Queue":
        if queuing is None:
            yield required(f"{where}.queuing")
        else:
            yield from _queuing(queuing, f"{where}.queuing")
    else:
        yield from choice(f"{where}.type", kind, ("Queue", "Reject"))


def _queuing(queuing: Manifest, where: str) -> Iterator[Problem]:
    queues, hand, length = queuing["queues"], queuing["handSize"], queuing["queueLengthLimit"]
    if length <= 0:
        yield invalid(f"{where}.queueLengthLimit", length, "must be positive")
    if queues <= 0:
        yield invalid(f"{where}.queues", queues, "must be positive")
    elif queues > MAX_QUEUES:
        yield invalid(f"{where}.queues", queues, f"must not be greater than {MAX_QUEUES}")
    if hand <= 0:
        yield invalid(f"{where}.handSize", hand, "must be positive")
    elif hand > queues:
        yield invalid(f"{where}.handSize", hand, f"should not be greater than queues ({queues})")
    elif entropy_bits(queues, hand) > HASH_BITS:
        start = f"required entropy bits of deckSize {queues} and handSize {hand}"
        yield invalid(f"{where}.handSize", hand, f"{start} should not be greater than {HASH_BITS}")


def entropy_bits(deck: int, hand: int) -> int:
    """Bits of a hash that are needed to deal a hand of `hand` queues out of `deck`."""
    return math.ceil(math.log2(deck) * hand)


# --- statuses, kinds --------------------------------------------------------------------------------------------


def _status_problems(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    found: list[Problem] = []
    seen: dict[str, None] = {}
    for number, condition in enumerate((new.get("status") or {}).get("conditions") or []):
        where, kind = f"status.conditions[{number}].type", condition.get("type", "")
        if kind in seen:
            found.append(duplicate(where, kind))
        seen[kind] = None
        if not kind:
            found.append(required(where))
    return found


def _kind(kind: str, plural: str, **functions: Any) -> Resource:
    return Resource(
        GROUP, "v1", kind, plural, namespaced=False, generation=True, has_status=True,
        subresources={"status": Subresource(kind)}, on_create=lambda obj: {**obj, "status": {}},
        validate_update=_status_problems, **functions,
    )  # fmt: skip


FLOW_SCHEMA = _kind("FlowSchema", "flowschemas", default=_default_schema, validate=_schema_problems)
PRIORITY_LEVEL = _kind(
    "PriorityLevelConfiguration", "prioritylevelconfigurations", default=_default_level, validate=_level_problems
)

RESOURCES = (FLOW_SCHEMA, PRIORITY_LEVEL)
