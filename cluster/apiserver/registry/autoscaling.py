"""HorizontalPodAutoscalers, which are stored once and served in two versions: autoscaling/v2 and, of old, v1.

Mirrors:  kubernetes/pkg/apis/autoscaling/{v2/defaults.go, validation/validation.go},
          pkg/registry/autoscaling/horizontalpodautoscaler/strategy.go
Read next: cluster/objects/autoscalers.py for what one version is in the other.
"""

from collections.abc import Callable, Iterator

from cluster.apiserver.registry.metadata import forbidden, invalid, not_supported, required
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import selector_problems
from cluster.objects import Manifest, autoscalers, quantity
from cluster.objects.autoscalers import FIELDS, TYPES
from cluster.objects.names import name_problems

CPU_PERCENT = 80
SOURCES = ("object", "pods", "resource", "external", "containerResource")
POLICIES, POLICY_TYPES = ("Disabled", "Max", "Min"), ("Percent", "Pods")
MAX_WINDOW, MAX_PERIOD = 3600, 1800  # Seconds.
_UP = {"selectPolicy": "Max", "stabilizationWindowSeconds": 0}
_UP_POLICIES = [
    {"type": "Pods", "value": 4, "periodSeconds": 15},
    {"type": "Percent", "value": 100, "periodSeconds": 15},
]
_DOWN_POLICIES = [{"type": "Percent", "value": 100, "periodSeconds": 15}]


# --- defaults ---------------------------------------------------------------------------------------------------


def _default(scaler: Manifest) -> Manifest:
    given = scaler.get("spec") or {}
    spec = {**given}
    if spec.get("minReplicas") is None:
        spec["minReplicas"] = 1
    if not spec.get("metrics"):
        spec["metrics"] = [autoscalers.cpu_percent(CPU_PERCENT)]
    if spec.get("behavior") is not None:
        behavior = spec["behavior"]
        spec["behavior"] = {
            "scaleUp": _rules(behavior.get("scaleUp"), _UP, _UP_POLICIES),
            "scaleDown": _rules(behavior.get("scaleDown"), {"selectPolicy": "Max"}, _DOWN_POLICIES),
        }
    return scaler if spec == given else {**scaler, "spec": spec}


def _rules(given: Manifest | None, defaults: Manifest, policies: list[Manifest]) -> Manifest:
    rules = {**defaults, "policies": policies}
    return {**rules, **{name: value for name, value in (given or {}).items() if value is not None}}


def _new(scaler: Manifest) -> Manifest:
    return {**scaler, "status": {"desiredReplicas": 0, "currentMetrics": None}}


# --- validation -------------------------------------------------------------------------------------------------


def _validate(scaler: Manifest) -> list[Problem]:
    spec = scaler.get("spec") or {}
    low, high, found = spec.get("minReplicas"), spec.get("maxReplicas") or 0, list[Problem]()
    if low is not None and low < 1:
        found.append(invalid("spec.minReplicas", low, "must be greater than or equal to 1"))
    if low is not None and high < low:
        found.append(invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"))
    found += _reference(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for number, metric in enumerate(spec.get("metrics") or []):
        found += _metric(metric, f"spec.metrics[{number}]")
    for name in ("scaleUp", "scaleDown"):
        if (spec.get("behavior") or {}).get(name) is not None:
            found += _rule_problems(spec["behavior"][name], f"spec.behavior.{name}")
    if not high:
        found.append(required("spec.maxReplicas"))
    elif high < 0:
        found.append(invalid("spec.maxReplicas", high, "must be greater than or equal to 1"))
    return found


def _reference(reference: Manifest, where: str) -> Iterator[Problem]:
    for name in ("kind", "name"):
        value = reference.get(name, "")
        if not value:
            yield required(f"{where}.{name}")
        yield from (invalid(f"{where}.{name}", value, problem) for problem in name_problems(value, "path") if value)
    version = reference.get("apiVersion", "")
    if version.count("/") > 1:
        yield invalid(f"{where}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    elif "/" not in version and (reference.get("kind"), version) != ("ReplicationController", "v1"):
        yield invalid(f"{where}.apiVersion", version, "apiVersion must specify API group")


def _metric(metric: Manifest, where: str) -> Iterator[Problem]:
    kind = metric.get("type", "")
    if not kind:
        yield required(f"{where}.type", "must specify a metric source type")
    if kind not in TYPES:
        yield not_supported(f"{where}.type", kind, TYPES)
    present = [source for source in SOURCES if metric.get(source) is not None]
    if present:
        yield from _CHECKS[present[0]](metric[present[0]], f"{where}.{present[0]}")
    expected = FIELDS.get(kind, "")
    if expected and expected not in present:
        yield required(f"{where}.{expected}", "must populate information for the given metric source")
    if len(present) != 1:
        for source in present:
            if source != expected:
                yield forbidden(f"{where}.{source}", "must populate the given metric source only")


def _target(target: Manifest, where: str) -> Iterator[Problem]:
    kind = target.get("type", "")
    if not kind:
        yield required(f"{where}.type", "must specify a metric target type")
    if kind not in ("Utilization", "Value", "AverageValue"):
        yield invalid(f"{where}.type", kind, "must be either Utilization, Value, or AverageValue")
    for name in ("value", "averageValue"):
        if target.get(name) is not None and quantity.parse(target[name])[0] <= 0:
            yield invalid(f"{where}.{name}", target[name], "must be positive")
    if target.get("averageUtilization") is not None and target["averageUtilization"] < 1:
        yield invalid(f"{where}.averageUtilization", target["averageUtilization"], "must be greater than 0")


def _identifier(metric: Manifest, where: str) -> Iterator[Problem]:
    name = metric.get("name", "")
    if not name:
        yield required(f"{where}.name", "must specify a metric name")
    yield from (invalid(f"{where}.name", name, problem) for problem in name_problems(name, "path") if name)
    yield from selector_problems(metric.get("selector"), f"{where}.selector")


def _resource(source: Manifest, where: str) -> Iterator[Problem]:
    target = source.get("target") or {}
    if not source.get("name"):
        yield required(f"{where}.name", "must specify a resource name")
    yield from _target(target, f"{where}.target")
    percent, value = target.get("averageUtilization"), target.get("averageValue")
    if percent is None and value is None:
        message = "must set either a target raw value or a target utilization"
        yield required(f"{where}.target.averageUtilization", message)
    if percent is not None and value is not None:
        message = "may not set both a target raw value and a target utilization"
        yield forbidden(f"{where}.target.averageValue", message)


def _container_resource(source: Manifest, where: str) -> Iterator[Problem]:
    if not source.get("container"):
        yield required(f"{where}.container", "must specify a container")
    yield from _resource(source, where)


def _pods(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _identifier(source.get("metric") or {}, f"{where}.metric")
    target = source.get("target") or {}
    yield from _target(target, f"{where}.target")
    if target.get("averageValue") is None or quantity.parse(target["averageValue"])[0] <= 0:
        yield required(f"{where}.target.averageValue", "must specify a positive target averageValue")


def _object(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _reference(source.get("describedObject") or {}, f"{where}.describedObject")
    yield from _identifier(source.get("metric") or {}, f"{where}.metric")
    target = source.get("target") or {}
    yield from _target(target, f"{where}.target")
    if target.get("value") is None and target.get("averageValue") is None:
        yield required(f"{where}.target.averageValue", "must set either a target value or averageValue")


def _external(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _identifier(source.get("metric") or {}, f"{where}.metric")
    target = source.get("target") or {}
    yield from _target(target, f"{where}.target")
    if target.get("value") is None and target.get("averageValue") is None:
        message = "must set either a target value for metric or a per-pod target"
        yield required(f"{where}.target.averageValue", message)
    if target.get("value") is not None and target.get("averageValue") is not None:
        message = "may not set both a target value for metric and a per-pod target"
        yield forbidden(f"{where}.target.value", message)


_CHECKS: dict[str, Callable[[Manifest, str], Iterator[Problem]]] = {
    "resource": _resource,
    "containerResource": _container_resource,
    "pods": _pods,
    "object": _object,
    "external": _external,
}


def _rule_problems(rules: Manifest, where: str) -> Iterator[Problem]:
    window = rules.get("stabilizationWindowSeconds")
    if window is not None and window < 0:
        yield invalid(f"{where}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > MAX_WINDOW:
        message = f"must be less than or equal to {MAX_WINDOW}"
        yield invalid(f"{where}.stabilizationWindowSeconds", window, message)
    if rules.get("selectPolicy") is not None and rules["selectPolicy"] not in POLICIES:
        yield not_supported(f"{where}.selectPolicy", rules["selectPolicy"], POLICIES)
    policies = rules.get("policies") or []
    if not policies:
        yield required(f"{where}.policies", "must specify at least one Policy")
    for number, policy in enumerate(policies):
        field, period = f"{where}.policies[{number}]", policy.get("periodSeconds", 0)
        if policy.get("type") not in POLICY_TYPES:
            yield not_supported(f"{field}.type", policy.get("type", ""), POLICY_TYPES)
        if policy.get("value", 0) <= 0:
            yield invalid(f"{field}.value", policy.get("value", 0), "must be greater than zero")
        if period <= 0:
            yield invalid(f"{field}.periodSeconds", period, "must be greater than zero")
        if period > MAX_PERIOD:
            yield invalid(f"{field}.periodSeconds", period, f"must be less than or equal to {MAX_PERIOD}")


SCALER = Resource(
    "autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short_names=("hpa",),
    categories=("all",), generation=True, has_status=True,
    subresources={"status": Subresource("HorizontalPodAutoscaler")},
    default=_default, on_create=_new, validate=_validate,
)  # fmt: skip

OLD_SCALER = Resource(
    "autoscaling", "v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", short_names=("hpa",),
    categories=("all",), generation=True, has_status=True,
    subresources={"status": Subresource("HorizontalPodAutoscaler")},
    stored_as="HorizontalPodAutoscaler", to_stored=autoscalers.from_v1, from_stored=autoscalers.to_v1,
)  # fmt: skip

RESOURCES = (OLD_SCALER, SCALER)
