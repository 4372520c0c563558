"""Arguments of plugins: what each may be told, what it takes for granted, and what is said of wrong ones.

    pluginConfig:
    - name: NodeResourcesFit
      args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 2}]}}

A table says for each plugin the shape of its arguments, their defaults and a check. Shapes are nested data with the
types of Go at their leaves, so that whoever misspells a field is told so.

Mirrors:  kube-scheduler/config/v1/types_pluginargs.go; kubernetes/pkg/scheduler/apis/config/v1/defaults.go;
          apis/config/validation/validation_pluginargs.go
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cluster.objects import Manifest, names
from cluster.scheduler.plugins.default_preemption import ENOUGH_NODES, ENOUGH_PERCENT
from cluster.scheduler.plugins.inter_pod_affinity import HARD_WEIGHT
from cluster.scheduler.plugins.pod_topology_spread import HARD, SOFT
from cluster.scheduler.plugins.volume_binding import BIND_TIMEOUT
from cluster.scheduler.terms import PREFERRED, REQUIRED

INT, STRING, BOOL, FLOAT, ANYTHING = "int32", "string", "bool", "float32", "anything"
TYPES: dict[str, Callable[[Any], bool]] = {
    INT: lambda value: isinstance(value, int) and not isinstance(value, bool) and -(1 << 31) <= value < 1 << 31,
    STRING: lambda value: isinstance(value, str),
    BOOL: lambda value: isinstance(value, bool),
    FLOAT: lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ANYTHING: lambda value: True,
}
WORDS = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
OPERATORS = ("DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn")

Problems = Iterator[str]


def decode(value: Any, shape: Any, where: str, path: str, unknown: list[str]) -> Any:
    """`value` as `shape` has it; null is as good as nothing. `where`: the Go struct.

    Fields that the shape has not are noted in `unknown`. Errors: ValueError: a value of another type.
    """
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            raise ValueError(_mismatch(value, where, path, "object"))
        unknown += [f'unknown field "{_below(path, key)}"' for key in value if key not in shape]
        return {
            key: decode(value[key], part, where, _below(path, key), unknown)
            for key, part in shape.items()
            if value.get(key) is not None
        }
    if isinstance(shape, list):
        if not isinstance(value, list):
            raise ValueError(_mismatch(value, where, path, "array"))
        return [decode(each, shape[0], where, f"{path}[{at}]", unknown) for at, each in enumerate(value)]
    if not TYPES[shape](value):
        raise ValueError(_mismatch(value, where, path, shape))
    return value


def _below(path: str, key: Any) -> str:
    return f"{path}.{key}" if path else str(key)


def _mismatch(value: Any, where: str, path: str, wanted: str) -> str:
    field = ".".join(part.partition("[")[0] for part in path.split("."))
    shown = f"number {value}" if isinstance(value, int) and wanted == INT and not isinstance(value, bool) else None
    return (
        f"json: cannot unmarshal {shown or WORDS.get(type(value), 'string')}"
        f" into Go struct field {where}.{field} of type {wanted}"
    )


# --- what is said of wrong values ---------------------------------------------------------------------------------


def invalid(path: str, value: Any, why: str) -> str:
    return f"{path}: Invalid value: {shown(value)}: {why}"


def unsupported(path: str, value: Any, supported: tuple[str, ...]) -> str:
    return f"{path}: Unsupported value: {shown(value)}: supported values: {', '.join(map(shown, supported))}"


def duplicate(path: str, value: Any) -> str:
    return f"{path}: Duplicate value: {shown(value)}"


def required(path: str, why: str = "") -> str:
    return f"{path}: Required value" + (f": {why}" if why else "")


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def outside(path: str, value: int, low: int, high: int) -> Problems:
    if not low <= value <= high:
        yield invalid(path, value, f"not in valid range [{low}, {high}]")


# --- each plugin's ------------------------------------------------------------------------------------------------

RESOURCES = [{"name": STRING, "weight": INT}]
SHAPE = [{"utilization": INT, "score": INT}]
REQUIREMENTS = [{"key": STRING, "operator": STRING, "values": [STRING]}]
TERM = {"matchExpressions": REQUIREMENTS, "matchFields": REQUIREMENTS}
BOTH = [{"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1}]


def _weighed(resources: list[Manifest] | None) -> list[Manifest]:
    return [{"name": "", "weight": 1, **each} for each in resources or BOTH]


def _fit_defaults(said: Manifest) -> Manifest:
    strategy = said.get("scoringStrategy") or {"type": "LeastAllocated"}
    return {**said, "scoringStrategy": {**strategy, "resources": _weighed(strategy.get("resources"))}}


def _check_fit(path: str, said: Manifest) -> Problems:
    for at, name in enumerate(said.get("ignoredResources") or ()):
        yield from _label_name(f"{path}.ignoredResources[{at}]", name)
    for at, name in enumerate(said.get("ignoredResourceGroups") or ()):
        if "/" in name:
            yield invalid(f"{path}.ignoredResourceGroups[{at}]", name, "resource group name can't contain '/'")
        yield from _label_name(f"{path}.ignoredResourceGroups[{at}]", name)
    strategy, path = said["scoringStrategy"], f"{path}.scoringStrategy"
    kinds = ("LeastAllocated", "MostAllocated", "RequestedToCapacityRatio")
    if strategy.get("type", "") not in kinds:
        yield unsupported(f"{path}.type", strategy.get("type", ""), kinds)
    for at, each in enumerate(strategy["resources"]):
        if not 0 < each["weight"] <= 100:
            why = f"resource weight of {each.get('name', '')} not in valid range (0, 100]"
            yield invalid(f"{path}.resources[{at}].weight", each["weight"], why)
    drawn, where = strategy.get("requestedToCapacityRatio"), f"{path}.requestedToCapacityRatio"
    if strategy.get("type") == kinds[-1]:
        if drawn is None:
            yield required(where, "must be specified when type is RequestedToCapacityRatio")
        else:
            yield from _check_shape(f"{where}.shape", drawn.get("shape") or [])
    elif drawn is not None:
        yield f"{where}: Forbidden: must be nil when type is not RequestedToCapacityRatio"


def _check_shape(path: str, shape: list[Manifest]) -> Problems:
    if not shape:
        yield required(path, "at least one point must be specified")
    points = [(point.get("utilization", 0), point.get("score", 0)) for point in shape]
    for at in range(1, len(points)):
        if points[at - 1][0] >= points[at][0]:
            yield invalid(f"{path}[{at}].utilization", points[at][0], "values must be sorted in increasing order")
            break
    for at, (utilization, score) in enumerate(points):
        yield from outside(f"{path}[{at}].utilization", utilization, 0, 100)
        yield from outside(f"{path}[{at}].score", score, 0, 10)


def _complete_points(said: Manifest) -> Manifest:
    """0 may be left out in a shape."""
    strategy = said["scoringStrategy"]
    drawn = strategy.get("requestedToCapacityRatio")
    if drawn is None:
        return said
    points = [{"utilization": 0, "score": 0, **point} for point in drawn.get("shape") or ()]
    return {**said, "scoringStrategy": {**strategy, "requestedToCapacityRatio": {"shape": points}}}


def _check_balanced(path: str, said: Manifest) -> Problems:
    seen: set[str] = set()
    for at, each in enumerate(said["resources"]):
        if each.get("name", "") in seen:
            yield duplicate(f"{path}.resources[{at}].name", each.get("name", ""))
        seen.add(each.get("name", ""))
        if each["weight"] != 1:
            yield invalid(f"{path}.resources[{at}].weight", each["weight"], "must be 1")


def _complete_terms(said: Manifest) -> Manifest:
    """A preference that says nothing weighs nothing, and no node meets it."""
    added = said.get("addedAffinity") or {}
    preferred = [{"weight": 0, "preference": {}, **each} for each in added.get(PREFERRED) or ()]
    return {"addedAffinity": {**added, PREFERRED: preferred}}


def _check_node_affinity(path: str, said: Manifest) -> Problems:
    added, path = said.get("addedAffinity") or {}, f"{path}.addedAffinity"
    for at, term in enumerate((added.get(REQUIRED) or {}).get("nodeSelectorTerms") or ()):
        yield from _check_term(f"{path}.{REQUIRED}.nodeSelectorTerms[{at}]", term)
    for at, each in enumerate(added.get(PREFERRED) or ()):
        yield from _check_term(f"{path}.{PREFERRED}[{at}].preference", each.get("preference") or {})


def _check_term(path: str, term: Manifest) -> Problems:
    for part in ("matchExpressions", "matchFields"):
        for at, each in enumerate(term.get(part) or ()):
            where, operator, values = f"{path}.{part}[{at}]", each.get("operator", ""), each.get("values") or []
            if part == "matchExpressions":
                yield from _label_name(f"{where}.key", each.get("key", ""))
            elif each.get("key") != "metadata.name":
                yield unsupported(f"{where}.key", each.get("key", ""), ("metadata.name",))
            if operator not in (OPERATORS if part == "matchExpressions" else ("In", "NotIn")):
                yield unsupported(f"{where}.operator", operator, OPERATORS)
            elif operator in ("In", "NotIn") and not values:
                yield invalid(f"{where}.values", values, "for 'in', 'notin' operators, values set can't be empty")
            elif operator in ("Exists", "DoesNotExist") and values:
                yield invalid(f"{where}.values", values, "values set must be empty for exists and does not exist")
            elif operator in ("Gt", "Lt") and len(values) != 1:
                yield invalid(f"{where}.values", values, "for 'Gt', 'Lt' operators, exactly one value is required")


def _check_inter_pod(path: str, said: Manifest) -> Problems:
    yield from outside(f"{path}.hardPodAffinityWeight", said["hardPodAffinityWeight"], 0, 100)


def _check_spread(path: str, said: Manifest) -> Problems:
    kind, constraints = said["defaultingType"], said.get("defaultConstraints") or []
    if kind not in ("List", "System"):
        yield unsupported(f"{path}.defaultingType", kind, ("List", "System"))
    elif kind == "System" and constraints:
        yield invalid(f"{path}.defaultingType", kind, "when .defaultConstraints are not empty")
    seen: set[tuple[str, str]] = set()
    for at, each in enumerate(constraints):
        where, key = f"{path}.defaultConstraints[{at}]", each.get("topologyKey", "")
        when = each.get("whenUnsatisfiable", "")
        if each.get("maxSkew", 0) <= 0:
            yield invalid(f"{where}.maxSkew", each.get("maxSkew", 0), "not in valid range (0, inf)")
        if key:
            yield from _label_name(f"{where}.topologyKey", key)
        else:
            yield required(f"{where}.topologyKey", "can not be empty")
        if not when:
            yield required(f"{where}.whenUnsatisfiable", "can not be empty")
        elif when not in (HARD, SOFT):
            yield unsupported(f"{where}.whenUnsatisfiable", when, (HARD, SOFT))
        if each.get("labelSelector") is not None:
            why = "constraint must not define a selector, as they deduced for each pod"
            yield f"{where}.labelSelector: Forbidden: {why}"
        if (key, when) in seen:
            yield duplicate(where, f"{{{key}, {when}}}")
        seen.add((key, when))


def _check_volumes(path: str, said: Manifest) -> Problems:
    if said["bindTimeoutSeconds"] < 0:
        why = "invalid BindTimeoutSeconds, should not be a negative value"
        yield invalid(f"{path}.bindTimeoutSeconds", said["bindTimeoutSeconds"], why)
    if said.get("shape") is not None:
        why = "unexpected field `shape`, remove it or turn on the feature gate StorageCapacityScoring"
        yield invalid(f"{path}.shape", said["shape"], why)


def _check_preemption(path: str, said: Manifest) -> Problems:
    percentage, absolute = said["minCandidateNodesPercentage"], said["minCandidateNodesAbsolute"]
    where = f"{path}.minCandidateNodesPercentage", f"{path}.minCandidateNodesAbsolute"
    yield from outside(where[0], percentage, 0, 100)
    if absolute < 0:
        yield invalid(where[1], absolute, "not in valid range [0, inf)")
    if percentage == absolute == 0:
        yield invalid(where[0], 0, "cannot be zero at the same time as minCandidateNodesAbsolute")
        yield invalid(where[1], 0, "cannot be zero at the same time as minCandidateNodesPercentage")


def _label_name(path: str, text: str) -> Problems:
    for problem in names.qualified_problems(text):
        yield invalid(path, text, problem)


class Arguments(NamedTuple):
    """`shape`: what may be said; `complete`: adds what is left out; `check`: yields what is wrong."""

    shape: Manifest
    complete: Callable[[Manifest], Manifest]
    check: Callable[[str, Manifest], Problems]


def nothing_wrong(path: str, said: Manifest) -> Problems:
    return iter(())


CONSTRAINT = {
    "maxSkew": INT, "topologyKey": STRING, "whenUnsatisfiable": STRING, "labelSelector": ANYTHING, "minDomains": INT,
    "nodeAffinityPolicy": STRING, "nodeTaintsPolicy": STRING, "matchLabelKeys": [STRING],
}  # fmt: skip
ARGUMENTS: dict[str, Arguments] = {
    "NodeResourcesFit": Arguments(
        {
            "ignoredResources": [STRING],
            "ignoredResourceGroups": [STRING],
            "scoringStrategy": {"type": STRING, "resources": RESOURCES, "requestedToCapacityRatio": {"shape": SHAPE}},
        },
        lambda said: _complete_points(_fit_defaults(said)),
        _check_fit,
    ),
    "NodeResourcesBalancedAllocation": Arguments(
        {"resources": RESOURCES},
        lambda said: {"resources": _weighed(said.get("resources"))},
        _check_balanced,
    ),
    "NodeAffinity": Arguments(
        {
            "addedAffinity": {
                REQUIRED: {"nodeSelectorTerms": [TERM]},
                PREFERRED: [{"weight": INT, "preference": TERM}],
            }
        },
        _complete_terms,
        _check_node_affinity,
    ),
    "InterPodAffinity": Arguments(
        {"hardPodAffinityWeight": INT, "ignorePreferredTermsOfExistingPods": BOOL},
        lambda said: {"hardPodAffinityWeight": HARD_WEIGHT, **said},
        _check_inter_pod,
    ),
    "PodTopologySpread": Arguments(
        {"defaultConstraints": [CONSTRAINT], "defaultingType": STRING},
        lambda said: {"defaultingType": "System", **said},
        _check_spread,
    ),
    "VolumeBinding": Arguments(
        {"bindTimeoutSeconds": INT, "shape": SHAPE},
        lambda said: {"bindTimeoutSeconds": BIND_TIMEOUT, **said},
        _check_volumes,
    ),
    "DefaultPreemption": Arguments(
        {"minCandidateNodesPercentage": INT, "minCandidateNodesAbsolute": INT},
        lambda said: {"minCandidateNodesPercentage": ENOUGH_PERCENT, "minCandidateNodesAbsolute": ENOUGH_NODES, **said},
        _check_preemption,
    ),
    "DynamicResources": Arguments(
        {"filterTimeout": STRING, "bindingTimeout": STRING}, lambda said: said, nothing_wrong
    ),
}
