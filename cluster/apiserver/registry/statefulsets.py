"""StatefulSets: pods with a number, a name and a disk of their own.

Mirrors:  kubernetes/pkg/registry/apps/statefulset/strategy.go, pkg/apis/apps/v1/defaults.go, pkg/apis/apps/validation
Left out: nothing of the real rules is known to be missing but the exact struct that a wrong strategy is shown as.
"""

from collections.abc import Iterator

from cluster.apiserver.registry import volumes
from cluster.apiserver.registry.metadata import int_or_percent_problems, invalid, not_supported, raw_invalid, required
from cluster.apiserver.registry.resource import SCALE, Problem, Resource, Subresource
from cluster.apiserver.registry.selectors import shown
from cluster.apiserver.registry.templates import (
    NON_NEGATIVE,
    at_least_zero,
    fixed,
    runs_forever,
    selector_and_template,
    with_template,
)
from cluster.objects import Manifest
from cluster.objects.names import name_problems

ORDERS = ("OrderedReady", "Parallel")
RETENTION = ("Delete", "Retain")
FIXED = ("podManagementPolicy", "selector", "serviceName", "volumeClaimTemplates")


def _default(statefulset: Manifest) -> Manifest:
    spec = statefulset.get("spec") or {}
    strategy = {**(spec.get("updateStrategy") or {})}
    if not strategy.get("type"):
        strategy["type"] = "RollingUpdate"
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {"partition": 0, "maxUnavailable": 1, **(strategy.get("rollingUpdate") or {})}
    retention = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    given = spec.get("persistentVolumeClaimRetentionPolicy") or {}
    retention |= {name: value for name, value in given.items() if value}
    done = with_template(statefulset, replicas=1, revisionHistoryLimit=10, serviceName="")
    wanted = {
        "podManagementPolicy": spec.get("podManagementPolicy") or "OrderedReady",
        "updateStrategy": strategy,
        "persistentVolumeClaimRetentionPolicy": retention,
    }
    if spec.get("volumeClaimTemplates"):
        wanted["volumeClaimTemplates"] = [_claim(template) for template in spec["volumeClaimTemplates"]]
    if all(done["spec"].get(name) == value for name, value in wanted.items()):
        return done
    return {**done, "spec": {**done["spec"], **wanted}}


def _claim(template: Manifest) -> Manifest:
    claim = volumes.defaulted_claim(template)
    return {"kind": "PersistentVolumeClaim", "apiVersion": "v1", **claim, "status": {"phase": "Pending"}}


def _new(statefulset: Manifest) -> Manifest:
    return {**statefulset, "status": {"replicas": 0, "availableReplicas": 0}}


def _validate(statefulset: Manifest) -> list[Problem]:
    spec = statefulset.get("spec") or {}
    found = [*_order(spec.get("podManagementPolicy", "")), *_strategy(spec.get("updateStrategy") or {})]
    found += _retention(spec.get("persistentVolumeClaimRetentionPolicy") or {})
    found += at_least_zero(spec, "replicas", "minReadySeconds")
    found += at_least_zero(spec.get("ordinals") or {}, "start", where="spec.ordinals")
    found += selector_and_template(_mounting_claims(spec), "statefulset")
    found += runs_forever(spec.get("template") or {}, "StatefulSet")
    name = spec.get("serviceName", "")
    if name:
        found += [invalid("spec.serviceName", name, problem) for problem in name_problems(name, "label")]
    return found + at_least_zero(spec, "revisionHistoryLimit")


def _mounting_claims(spec: Manifest) -> Manifest:
    """The spec as its pods will be: with a volume for every claim template, so that mounts find theirs."""
    claims = [(claim.get("metadata") or {}).get("name", "") for claim in spec.get("volumeClaimTemplates") or []]
    template = spec.get("template") or {}
    if not claims or "spec" not in template:
        return spec
    own = [volume for volume in template["spec"].get("volumes") or [] if volume.get("name") not in claims]
    made = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]
    return {**spec, "template": {**template, "spec": {**template["spec"], "volumes": [*own, *made]}}}


def _order(policy: str) -> Iterator[Problem]:
    if not policy:
        yield required("spec.podManagementPolicy")
    elif policy not in ORDERS:
        yield invalid("spec.podManagementPolicy", policy, "must be 'OrderedReady' or 'Parallel'")


def _strategy(strategy: Manifest, where: str = "spec.updateStrategy") -> Iterator[Problem]:
    kind, rolling = strategy.get("type", ""), strategy.get("rollingUpdate")
    if not kind:
        yield required(where)
    elif kind == "OnDelete" and rolling is not None:
        yield raw_invalid(f"{where}.rollingUpdate", shown(rolling), "only allowed for updateStrategy 'RollingUpdate'")
    elif kind == "RollingUpdate" and rolling is not None:
        if (rolling.get("partition") or 0) < 0:
            yield invalid(f"{where}.rollingUpdate.partition", rolling["partition"], NON_NEGATIVE)
        most = rolling.get("maxUnavailable")
        yield from int_or_percent_problems(f"{where}.rollingUpdate.maxUnavailable", most)
        if most in (0, "0%"):
            yield invalid(f"{where}.rollingUpdate.maxUnavailable", most, "cannot be 0")
    elif kind not in ("OnDelete", "RollingUpdate"):
        yield raw_invalid(where, shown(strategy), "must be 'RollingUpdate' or 'OnDelete'")


def _retention(policy: Manifest) -> Iterator[Problem]:
    for name in ("whenDeleted", "whenScaled"):
        if policy.get(name) not in RETENTION:
            where = f"spec.persistentVolumeClaimRetentionPolicy.{name}"
            yield not_supported(where, policy.get(name, ""), RETENTION)


def _is_fixed(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    return fixed(old, new, *FIXED)


STATEFULSET = Resource(
    "apps", "v1", "StatefulSet", "statefulsets", short_names=("sts",), categories=("all",),
    generation=True, has_status=True, subresources={**SCALE, "status": Subresource("StatefulSet")},
    default=_default, on_create=_new, validate=_validate, immutable=_is_fixed,
)  # fmt: skip
