"""What a namespace may use: ResourceQuotas over everything in it, LimitRanges over each thing.

Mirrors:  kubernetes/pkg/registry/core/{resourcequota,limitrange}/strategy.go, pkg/apis/core/validation
"""

from collections.abc import Iterator

from cluster.apiserver.registry.metadata import (
    duplicate,
    forbidden,
    invalid,
    raw_invalid,
    required,
)
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import shown
from cluster.apiserver.registry.templates import NON_NEGATIVE, no_status
from cluster.objects import Manifest, quantity
from cluster.objects.names import qualified_problems

STANDARD = (
    "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
    "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods", "storage",
)  # fmt: skip
COUNTED = (
    "pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps", "persistentvolumeclaims",
    "services.nodeports", "services.loadbalancers",
)  # fmt: skip
OF_QUOTA = tuple(name for name in (*STANDARD, *COUNTED) if name != "storage")
CONTAINER_RESOURCES = ("cpu", "memory", "ephemeral-storage")
SCOPES = (
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass", "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
)  # fmt: skip
OPPOSITES = (("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating"))
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")
COMPUTE = ("cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "pods")
STANDARD_LIMITS = ("Pod", "Container", "PersistentVolumeClaim")


def is_standard(name: str) -> bool:
    return name in STANDARD or name in COUNTED or name.startswith(("hugepages-", "requests.hugepages-"))


def name_problems(name: str, where: str) -> Iterator[Problem]:
    yield from (invalid(where, name, problem) for problem in qualified_problems(name))
    if "/" not in name and not is_standard(name):
        yield invalid(where, name, "must be a standard resource type or fully qualified")


# --- quotas -----------------------------------------------------------------------------------------------------


def _validate_quota(quota: Manifest) -> list[Problem]:
    spec, found = quota.get("spec") or {}, list[Problem]()
    hard = spec.get("hard") or {}
    for name, amount in sorted(hard.items()):
        found += _quota_amount(name, amount, f"spec.hard[{name}]")
    found += _scopes(spec.get("scopes") or [], sorted(hard))
    for number, expression in enumerate((spec.get("scopeSelector") or {}).get("matchExpressions") or []):
        found += _scope_expression(expression, f"spec.scopeSelector.matchExpressions[{number}]", sorted(hard))
    return found


def _quota_amount(name: str, amount: str, where: str) -> Iterator[Problem]:
    yield from name_problems(name, where)
    if "/" not in name and name not in OF_QUOTA and not name.startswith(("hugepages-", "requests.hugepages-")):
        yield invalid(where, name, "must be a standard resource for quota")
    number = quantity.parse(amount)[0]
    if number < 0:
        yield invalid(where, amount, NON_NEGATIVE)
    if (name in COUNTED or name.startswith("count/")) and number % quantity.NANO:
        yield invalid(where, amount, "must be an integer")


def _scopes(scopes: list[str], hard: list[str], where: str = "spec.scopes") -> Iterator[Problem]:
    for scope in scopes:
        if scope not in SCOPES:
            yield raw_invalid(where, shown(scopes), "unsupported scope")
        for name in hard:
            if name in OF_QUOTA and not _fits(scope, name):
                yield raw_invalid(where, shown(scopes), "unsupported scope applied to resource")
    for pair in OPPOSITES:
        if set(pair) <= set(scopes):
            yield raw_invalid(where, shown(scopes), "conflicting scopes")


def _scope_expression(expression: Manifest, where: str, hard: list[str]) -> Iterator[Problem]:
    scope, operator, values = (expression.get(name) or "" for name in ("scopeName", "operator", "values"))
    if scope not in SCOPES:
        yield invalid(f"{where}.scopeName", scope, "unsupported scope")
    for name in hard:
        if name in OF_QUOTA and scope in SCOPES and not _fits(scope, name):
            yield invalid(f"{where}.scopeName", scope, "unsupported scope applied to resource")
    if scope in (*OPPOSITES[0], *OPPOSITES[1], "CrossNamespacePodAffinity") and operator != "Exists":
        message = f"must be 'Exist' when scope is any of {', '.join((*OPPOSITES[1], *OPPOSITES[0]))}"
        yield invalid(f"{where}.operator", operator, f"{message} or CrossNamespacePodAffinity")
    if operator in ("In", "NotIn") and not values:
        yield required(
            f"{where}.values", "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        )
    elif operator in ("Exists", "DoesNotExist") and values:
        message = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
        yield raw_invalid(f"{where}.values", shown(list(values)), message)
    elif operator not in OPERATORS:
        yield invalid(f"{where}.operator", operator, "not a valid selector operator")


def _fits(scope: str, name: str) -> bool:
    """BestEffort pods can only be counted; everything else about pods may be summed, too."""
    if scope == "BestEffort":
        return name == "pods"
    if scope == "VolumeAttributesClass":
        return name in ("persistentvolumeclaims", "requests.storage")
    return name in COMPUTE or name in ("ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage")


def _same_scopes(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    before, after = ((obj.get("spec") or {}).get("scopes") or [] for obj in (old, new))
    if subresource or set(before) == set(after):
        return []
    return [raw_invalid("spec.scopes", shown(after), "field is immutable")]


QUOTA = Resource(
    "", "v1", "ResourceQuota", "resourcequotas", short_names=("quota",), has_status=True, returns_deleted=True,
    subresources={"status": Subresource("ResourceQuota")},
    on_create=no_status, validate=_validate_quota, immutable=_same_scopes,
)  # fmt: skip


# --- limit ranges -----------------------------------------------------------------------------------------------


def _default_range(obj: Manifest) -> Manifest:
    limits = (obj.get("spec") or {}).get("limits") or []
    done = [_default_limit(limit) for limit in limits]
    if all(new is old for new, old in zip(done, limits, strict=True)):
        return obj
    return {**obj, "spec": {**obj["spec"], "limits": done}}


def _default_limit(limit: Manifest) -> Manifest:
    """A container's limit is at most the largest there may be, and its request what its limit is."""
    if limit.get("type") != "Container":
        return limit
    default = {**(limit.get("max") or {}), **(limit.get("default") or {})}
    request = {**(limit.get("min") or {}), **default, **(limit.get("defaultRequest") or {})}
    new = {**limit}
    for name, amounts in (("default", default), ("defaultRequest", request)):
        if amounts:
            new[name] = dict(sorted(amounts.items()))
    return limit if new == limit else new


def _validate_range(obj: Manifest) -> list[Problem]:
    found, seen = list[Problem](), set[str]()
    for number, limit in enumerate((obj.get("spec") or {}).get("limits") or []):
        where, kind = f"spec.limits[{number}]", limit.get("type", "")
        found += _limit_type(kind, f"{where}.type")
        if kind in seen:
            found.append(duplicate(f"{where}.type", kind))
        seen.add(kind)
        found += _limit_names(limit, kind, where)
        for name in sorted({name for part in _PARTS for name in limit.get(part) or {}}):
            found += _limit_order(limit, name, where)
    return found


_PARTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")


def _limit_type(kind: str, where: str) -> Iterator[Problem]:
    yield from (invalid(where, kind, problem) for problem in qualified_problems(kind))
    if "/" not in kind and kind not in STANDARD_LIMITS:
        yield invalid(where, kind, "must be a standard limit type or fully qualified")


def _limit_names(limit: Manifest, kind: str, where: str) -> Iterator[Problem]:
    for part in _PARTS:
        if kind == "Pod" and part in ("default", "defaultRequest"):
            if limit.get(part):
                yield forbidden(f"{where}.{part}", "may not be specified when `type` is 'Pod'")
            continue
        for name in sorted(limit.get(part) or {}):
            yield from _limit_name(kind, name, f"{where}.{part}[{name}]")
        bounded = any("storage" in (limit.get(bound) or {}) for bound in ("min", "max"))
        if part == "defaultRequest" and kind == "PersistentVolumeClaim" and not bounded:
            message = "either minimum or maximum storage value is required, but neither was provided"
            yield required(f"{where}.limits", message)


def _limit_name(kind: str, name: str, where: str) -> Iterator[Problem]:
    yield from name_problems(name, where)
    of_container = name in CONTAINER_RESOURCES or name.startswith("hugepages-")
    if kind in ("Pod", "Container") and "/" not in name and not of_container:
        yield invalid(where, name, "must be a standard resource for containers")


def _limit_order(limit: Manifest, name: str, where: str) -> Iterator[Problem]:
    """min <= defaultRequest <= default <= max, and a ratio of at least one."""
    low, high, default, request, ratio = (
        (limit.get(part) or {}).get(name)
        for part in ("min", "max", "default", "defaultRequest", "maxLimitRequestRatio")
    )

    def above(one: str | None, other: str | None) -> bool:
        return one is not None and other is not None and quantity.parse(one)[0] > quantity.parse(other)[0]

    if above(low, high):
        yield invalid(f"{where}.min[{name}]", low, f"min value {low} is greater than max value {high}")
    place = f"{where}.defaultRequest[{name}]"
    if above(low, request):
        yield invalid(place, request, f"min value {low} is greater than default request value {request}")
    if above(request, high):
        yield invalid(place, request, f"default request value {request} is greater than max value {high}")
    if above(request, default):
        yield invalid(place, request, f"default request value {request} is greater than default limit value {default}")
    place = f"{where}.default[{name}]"
    if above(low, default):
        yield invalid(place, low, f"min value {low} is greater than default value {default}")
    if above(default, high):
        yield invalid(place, high, f"default value {default} is greater than max value {high}")
    place = f"{where}.maxLimitRequestRatio[{name}]"
    if above("1", ratio):
        yield invalid(place, ratio, f"ratio {ratio} is less than 1")
    if ratio is not None and low is not None and high is not None and quantity.parse(low)[0]:
        most = quantity.parse(high)[0] / quantity.parse(low)[0]
        if quantity.parse(ratio)[0] / quantity.NANO > most:
            yield invalid(place, ratio, f"ratio {ratio} is greater than max/min = {most:f}")
    whole = name.startswith("hugepages-") or "/" in name  # What can't be overcommitted.
    if whole and (above(default, request) or above(request, default)):
        message = f"default value {default} must equal to defaultRequest value {request} in {name}"
        yield invalid(f"{where}.defaultRequest[{name}]", request, message)


LIMIT_RANGE = Resource(
    "", "v1", "LimitRange", "limitranges", short_names=("limits",), default=_default_range, validate=_validate_range
)

RESOURCES = (QUOTA, LIMIT_RANGE)
