"""resource.k8s.io: devices that a pod asks for by what they can do (dynamic resource allocation).

A driver publishes its node's devices in ResourceSlices; an administrator groups them in DeviceClasses; a ResourceClaim
asks for some of a class; a ResourceClaimTemplate makes one such claim per pod; a DeviceTaintRule takes devices out.

Mirrors:  kubernetes/pkg/apis/resource/{v1/defaults.go, validation/validation.go}, pkg/registry/resource
Left out: compiling CEL; counters, capacities and attributes of devices are only type-checked; a claim's status is, too.
          Nothing here allocates.
"""

from collections.abc import Callable, Iterable, Iterator

from cluster.apiserver.registry.metadata import duplicate, invalid, not_supported, raw_invalid, required, too_long
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.rules import choice, condition_problems, fixed, subdomain, too_many, unchanged
from cluster.objects import Manifest
from cluster.objects.names import label_value_problems, name_problems, qualified_problems

GROUP = "resource.k8s.io"
MODES, EFFECTS, OPERATORS = ("All", "ExactCount"), ("NoExecute", "NoSchedule", "None"), ("Equal", "Exists")
MOST_REQUESTS = MOST_CONSTRAINTS = MOST_CONFIGS = MOST_SELECTORS = 32
MOST_CHOICES, MOST_DEVICES, MAX_EXPRESSION, MAX_POOL = 8, 128, 10 * 1024, 253
EXACTLY_ONE = "exactly one of `exactly` or `firstAvailable` is required"

# --- defaults ---------------------------------------------------------------------------------------------------


def _counted(request: Manifest) -> Manifest:
    mode = request.get("allocationMode") or "ExactCount"
    count = {"count": 1} if mode == "ExactCount" and not request.get("count") else {}
    new = {**request, "allocationMode": mode, **count}
    return request if new == request else new


def _default_claim_spec(spec: Manifest) -> Manifest:
    requests = (spec.get("devices") or {}).get("requests")
    if not requests:
        return spec
    done = [_default_request(request) for request in requests]
    return spec if done == requests else {**spec, "devices": {**spec["devices"], "requests": done}}


def _default_request(request: Manifest) -> Manifest:
    new = {**request}
    if request.get("exactly") is not None:
        new["exactly"] = _counted(request["exactly"])
    if request.get("firstAvailable"):
        new["firstAvailable"] = [_counted(choice) for choice in request["firstAvailable"]]
    return new


def _default_claim(claim: Manifest) -> Manifest:
    spec = _default_claim_spec(claim.get("spec") or {})
    return claim if spec is claim.get("spec") else {**claim, "spec": spec}


def _default_template(template: Manifest) -> Manifest:
    outer = template.get("spec") or {}
    spec = _default_claim_spec(outer.get("spec") or {})
    return template if spec is outer.get("spec") else {**template, "spec": {**outer, "spec": spec}}


def _tainted_at(rule: Manifest, old: Manifest | None, now: str) -> Manifest:
    """A taint tells since when it has its effect."""
    spec, before = rule.get("spec") or {}, ((old or {}).get("spec") or {}).get("taint") or {}
    taint = spec.get("taint") or {}
    changed = taint.get("effect") != before.get("effect") and taint.get("timeAdded") == before.get("timeAdded")
    if taint.get("timeAdded") and not (old is not None and changed):
        return rule
    done = {**rule, "spec": {**spec, "taint": {**taint, "timeAdded": now}}}
    if old is not None and done["spec"] != old.get("spec") and rule["spec"] == old.get("spec"):
        done["metadata"] = {**rule["metadata"], "generation": old["metadata"].get("generation", 0) + 1}
    return done


def _slice_taints_at(piece: Manifest, old: Manifest | None, now: str) -> Manifest:
    devices = (piece.get("spec") or {}).get("devices") or []
    if all(taint.get("timeAdded") for device in devices for taint in device.get("taints") or []):
        return piece
    done = [
        {**device, "taints": [{"timeAdded": now, **taint} for taint in device["taints"]]}
        if device.get("taints")
        else device
        for device in devices
    ]
    return {**piece, "spec": {**piece["spec"], "devices": done}}


# --- claims -----------------------------------------------------------------------------------------------------


def _list(
    entries: list[Manifest], most: int, where: str, check: Callable[[Manifest, str], Iterable[Problem]], key: str = ""
) -> Iterator[Problem]:
    """Problems of every entry; with a `key`, of entries that share it. Too many of them are not looked at."""
    if len(entries) > most:
        yield too_many(where, len(entries), most)
        return
    for number, entry in enumerate(entries):
        yield from check(entry, f"{where}[{number}]")
    if key:
        seen: dict[str, None] = {}
        for number, entry in enumerate(entries):
            if entry.get(key, "") in seen:
                yield duplicate(f"{where}[{number}]", entry.get(key, ""))
            seen[entry.get(key, "")] = None


def _label(field: str, name: str) -> list[Problem]:
    if not name:
        return [required(field)]
    return [invalid(field, name, problem) for problem in name_problems(name, "label")]


def _claim_problems(claim: Manifest) -> list[Problem]:
    return list(_device_claim((claim.get("spec") or {}).get("devices") or {}, "spec.devices"))


def _template_problems(template: Manifest) -> list[Problem]:
    inner = (template.get("spec") or {}).get("spec") or {}
    return list(_device_claim(inner.get("devices") or {}, "spec.spec.devices"))


def _device_claim(devices: Manifest, where: str) -> Iterator[Problem]:
    requests = devices.get("requests") or []
    known = {r.get("name", ""): [c.get("name", "") for c in r.get("firstAvailable") or []] for r in requests}
    yield from _list(requests, MOST_REQUESTS, f"{where}.requests", _request, key="name")

    def constraint(entry: Manifest, field: str) -> Iterator[Problem]:
        yield from _references(entry.get("requests") or [], known, f"{field}.requests")
        if entry.get("matchAttribute") is None and entry.get("distinctAttribute") is None:
            either = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
            yield required(field, either)

    def config(entry: Manifest, field: str) -> Iterator[Problem]:
        yield from _references(entry.get("requests") or [], known, f"{field}.requests")
        yield from _configuration(entry, field)

    yield from _list(devices.get("constraints") or [], MOST_CONSTRAINTS, f"{where}.constraints", constraint)
    yield from _list(devices.get("config") or [], MOST_CONFIGS, f"{where}.config", config)


def _request(request: Manifest, where: str) -> Iterator[Problem]:
    yield from _label(f"{where}.name", request.get("name", ""))
    exactly, choices = request.get("exactly"), request.get("firstAvailable") or []
    if exactly is None and not choices:
        yield required(where, EXACTLY_ONE)
    elif exactly is not None and choices:
        yield raw_invalid(where, "null", f"{EXACTLY_ONE}, but multiple fields are set")
    elif exactly is not None:
        yield from _exactly(exactly, f"{where}.exactly")
    else:
        yield from _list(choices, MOST_CHOICES, f"{where}.firstAvailable", _choice, key="name")


def _choice(request: Manifest, where: str) -> Iterator[Problem]:
    yield from _label(f"{where}.name", request.get("name", ""))
    yield from _exactly(request, where)


def _exactly(request: Manifest, where: str) -> Iterator[Problem]:
    name = request.get("deviceClassName", "")
    yield from subdomain(f"{where}.deviceClassName", name) if name else [required(f"{where}.deviceClassName")]
    yield from _list(request.get("selectors") or [], MOST_SELECTORS, f"{where}.selectors", _selector)
    mode, count = request["allocationMode"], request.get("count", 0)
    if mode == "All" and count:
        yield invalid(f"{where}.count", count, "must not be specified when allocationMode is 'All'")
    elif mode == "ExactCount" and count <= 0:
        yield invalid(f"{where}.count", count, "must be greater than zero")
    elif mode not in MODES:
        yield not_supported(f"{where}.allocationMode", mode, MODES)
    for number, toleration in enumerate(request.get("tolerations") or []):
        yield from _toleration(toleration, f"{where}.tolerations[{number}]")


def _selector(selector: Manifest, where: str) -> Iterator[Problem]:
    if selector.get("cel") is None:
        yield required(f"{where}.cel")
    elif len(selector["cel"].get("expression", "")) > MAX_EXPRESSION:
        yield too_long(f"{where}.cel.expression", MAX_EXPRESSION)


def _toleration(toleration: Manifest, where: str) -> Iterator[Problem]:
    key, value, effect = (toleration.get(part) or "" for part in ("key", "value", "effect"))
    if key:
        yield from (invalid(f"{where}.key", key, problem) for problem in qualified_problems(key))
    operator = toleration.get("operator") or ""
    if operator == "Exists" and value:
        yield invalid(f"{where}.value", value, "must be empty for operator `Exists`")
    elif operator == "Equal":
        yield from (invalid(f"{where}.value", value, problem) for problem in label_value_problems(value))
    yield from choice(f"{where}.operator", operator, OPERATORS)
    if effect and effect not in EFFECTS:
        yield not_supported(f"{where}.effect", effect, EFFECTS)


UNKNOWN_REQUEST = (
    "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
)


def _references(names: list[str], known: dict[str, list[str]], where: str) -> Iterator[Problem]:
    """`gpu`, or `gpu/small` of a request with choices."""
    for number, name in enumerate(names):
        field, parts = f"{where}[{number}]", name.split("/")
        if len(parts) > 2:
            yield invalid(field, name, UNKNOWN_REQUEST)
            continue
        for part in parts:
            yield from _label(field, part)
        if parts[0] not in known or (len(parts) == 2 and parts[1] not in known[parts[0]]):
            yield invalid(field, name, UNKNOWN_REQUEST)
        if name in names[:number]:
            yield duplicate(field, name)


def _configuration(config: Manifest, where: str) -> Iterator[Problem]:
    opaque = config.get("opaque")
    if opaque is None:
        yield required(f"{where}.opaque")
        return
    yield from _driver(f"{where}.opaque.driver", opaque.get("driver", ""))
    if opaque.get("parameters") is None:
        yield required(f"{where}.opaque.parameters")
    elif not isinstance(opaque["parameters"], dict):
        message = "parameters must be a valid JSON object"
        yield raw_invalid(f"{where}.opaque.parameters", "<value omitted>", message)


def _driver(field: str, name: str) -> list[Problem]:
    if not name:
        return [required(field)]
    found = [too_long(field, 63)] if len(name) > 63 else []
    return found + [invalid(field, name, problem) for problem in name_problems(name.lower(), "subdomain")]


# --- classes, slices, taints ------------------------------------------------------------------------------------


def _class_problems(entry: Manifest) -> list[Problem]:
    spec = entry.get("spec") or {}
    found = list(_list(spec.get("selectors") or [], MOST_SELECTORS, "spec.selectors", _selector))
    return [*found, *_list(spec.get("config") or [], MOST_CONFIGS, "spec.config", _configuration)]


ONE_PLACE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"


def _slice_problems(piece: Manifest) -> list[Problem]:
    spec, pool = piece.get("spec") or {}, (piece.get("spec") or {}).get("pool") or {}
    found = _driver("spec.driver", spec.get("driver", "")) + _pool("spec.pool.name", pool.get("name", ""))
    count, generation = pool.get("resourceSliceCount", 0), pool.get("generation", 0)
    if count <= 0:
        found.append(invalid("spec.pool.resourceSliceCount", count, "must be greater than zero"))
    if generation < 0:
        found.append(invalid("spec.pool.generation", generation, "must be greater than or equal to zero"))
    places = []
    for name in ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"):
        value = spec.get(name)
        if value == "":
            found.append(invalid(f"spec.{name}", "", "must be either unset or set to a non-empty string"))
        elif value is False:
            found.append(invalid(f"spec.{name}", False, "must be either unset or set to true"))
        elif value is not None:
            places.append(f"`{name}`")
    if not places:
        found.append(required("spec", ONE_PLACE))
    elif len(places) > 1:
        found.append(invalid("spec", f"{{{', '.join(places)}}}", f"{ONE_PLACE}, but multiple fields are set"))
    if spec.get("sharedCounters") is not None and spec.get("devices") is not None:
        found.append(invalid("spec", "", "only one of `sharedCounters` or `devices` is allowed"))
    return [*found, *_list(spec.get("devices") or [], MOST_DEVICES, "spec.devices", _device, key="name")]


def _pool(field: str, name: str) -> list[Problem]:
    if not name:
        return [required(field)]
    found = [too_long(field, MAX_POOL)] if len(name) > MAX_POOL else []
    return found + [problem for part in name.split("/") for problem in subdomain(field, part)]


def _device(device: Manifest, where: str) -> Iterator[Problem]:
    yield from _label(f"{where}.name", device.get("name", ""))
    for number, taint in enumerate(device.get("taints") or []):
        yield from _taint(taint, f"{where}.taints[{number}]")


def _taint(taint: Manifest, where: str) -> Iterator[Problem]:
    key, value = taint.get("key", ""), taint.get("value", "")
    yield from (invalid(f"{where}.key", key, problem) for problem in qualified_problems(key))
    yield from (invalid(f"{where}.value", value, problem) for problem in label_value_problems(value))
    yield from choice(f"{where}.effect", taint.get("effect", ""), EFFECTS)


def _taint_rule_problems(rule: Manifest) -> list[Problem]:
    spec = rule.get("spec") or {}
    chosen, found = spec.get("deviceSelector") or {}, list[Problem]()
    if chosen.get("driver") is not None:
        found += _driver("spec.deviceSelector.driver", chosen["driver"])
    if chosen.get("pool") is not None:
        found += _pool("spec.deviceSelector.pool", chosen["pool"])
    if chosen.get("device") is not None:
        found += _label("spec.deviceSelector.device", chosen["device"])
    return [*found, *_taint(spec.get("taint") or {}, "spec.taint")]


MOST_RULE_CONDITIONS = 8


def _taint_rule_status(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    conditions = (new.get("status") or {}).get("conditions") or []
    found = list(condition_problems(conditions, "status.conditions"))
    if len(conditions) > MOST_RULE_CONDITIONS:
        found.append(too_many("status.conditions", len(conditions), MOST_RULE_CONDITIONS))
    return found


RESOURCES = (
    Resource(
        GROUP, "v1", "DeviceClass", "deviceclasses", namespaced=False, generation=True, returns_deleted=True,
        validate=_class_problems,
    ),
    Resource(
        GROUP, "v1", "DeviceTaintRule", "devicetaintrules", namespaced=False, generation=True, has_status=True,
        subresources={"status": Subresource("DeviceTaintRule")}, stored_version="v1beta2",
        on_create=lambda rule: {**rule, "status": {}}, stamp=_tainted_at, validate=_taint_rule_problems,
        validate_update=_taint_rule_status,
    ),
    Resource(
        GROUP, "v1", "ResourceClaim", "resourceclaims", has_status=True, returns_deleted=True,
        subresources={"status": Subresource("ResourceClaim")}, default=_default_claim,
        on_create=lambda claim: {**claim, "status": {}}, validate_new=_claim_problems,
        immutable=unchanged("spec"),
    ),
    Resource(
        GROUP, "v1", "ResourceClaimTemplate", "resourceclaimtemplates", default=_default_template, returns_deleted=True,
        validate_new=_template_problems, immutable=fixed("spec"),
    ),
    Resource(
        GROUP, "v1", "ResourceSlice", "resourceslices", namespaced=False, generation=True, returns_deleted=True,
        selectable=("spec.nodeName", "spec.driver", "spec.pool.name"), stamp=_slice_taints_at, validate=_slice_problems,
        immutable=fixed("spec.pool.name", "spec.driver", "spec.nodeName"),
    ),
)  # fmt: skip
