"""PodSecurity: a namespace's labels say which pods it refuses (enforce), of which it warns, and which it notes (audit).

    pod-security.kubernetes.io/enforce: restricted        pod-security.kubernetes.io/enforce-version: v1.30

Pods are refused, workloads only warned of: a Deployment may be created whose pods will be refused. Namespaces whose
labels get stricter are told which of their pods would be refused now; those run on.

Mirrors:  k8s.io/pod-security-admission/admission/admission.go, api/helpers.go
Left out: exemptions, of which the default configuration has none.
Read next: pod_standards.py for the checks.
"""

import re
from typing import Any, NamedTuple

from cluster.apiserver.admission import pod_standards
from cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.apiserver.admission.pod_standards import LATEST, LEVELS, PRIVILEGED, RESTRICTED, Violation
from cluster.apiserver.registry.metadata import invalid
from cluster.apiserver.registry.resource import Problem
from cluster.objects import Manifest, errors, meta
from cluster.objects.memo import IdentityMemo

PREFIX = "pod-security.kubernetes.io/"
WORKLOADS = (
    "CronJob", "DaemonSet", "Deployment", "Job", "PodTemplate", "ReplicaSet", "ReplicationController", "StatefulSet",
)  # fmt: skip
MAX_PODS = 3000  # Pods looked at when a namespace's labels change, as in the real one.
_VERSION = re.compile(r"v1\.([0-9]|[1-9][0-9]{1,8})")


class Standard(NamedTuple):
    """A level at a version; `minor` of the newest is LATEST."""

    level: str = PRIVILEGED
    version: str = "latest"

    @property
    def minor(self) -> int:
        return LATEST if self.version == "latest" else int(self.version[3:])

    def __str__(self) -> str:
        return f"{self.level}:{self.version}"


class Policy(NamedTuple):
    """What a namespace's labels mean, and what is wrong with them."""

    enforce: Standard = Standard()
    audit: Standard = Standard()
    warn: Standard = Standard()
    problems: tuple[Problem, ...] = ()

    @property
    def is_open(self) -> bool:
        return not self.problems and all(s.level == PRIVILEGED for s in (self.enforce, self.audit, self.warn))


OPEN = Policy()
_policies = IdentityMemo(256)
_found = IdentityMemo(512)


def policy_of(namespace: Manifest | None) -> Policy:
    labels = ((namespace or {}).get("metadata") or {}).get("labels")
    return _policies.get(labels, (), _policy) if labels else OPEN  # type: ignore[no-any-return]


def _policy(labels: dict[str, str]) -> Policy:
    """A label that can't be read means the strictest for pods, and nothing for warnings."""
    problems: list[Problem] = []
    found: dict[str, Standard] = {}
    for mode in ("enforce", "audit", "warn"):
        level, version = labels.get(PREFIX + mode), labels.get(f"{PREFIX}{mode}-version")
        if level is not None and level not in LEVELS:
            where = f"metadata.labels[{PREFIX}{mode}]"
            problems.append(invalid(where, level, f"must be one of {', '.join(LEVELS)}"))
            level = RESTRICTED if mode == "enforce" else PRIVILEGED
        if version is not None and version != "latest" and not _VERSION.fullmatch(version):
            where = f"metadata.labels[{PREFIX}{mode}-version]"
            problems.append(invalid(where, version, 'must be "latest" or "v1.x"'))
            version = "latest"
        found[mode] = Standard(level or PRIVILEGED, version or "latest")
    enforce, warn = found["enforce"], found["warn"]
    if PREFIX + "warn" not in labels and labels.get(PREFIX + "enforce") in LEVELS and enforce.level != PRIVILEGED:
        # Who enforces wants to be warned, too.
        warn = Standard(enforce.level, warn.version if PREFIX + "warn-version" in labels else enforce.version)
    return Policy(enforce, found["audit"], warn, tuple(problems))


def violations(standard: Standard, metadata: Manifest, spec: Manifest) -> list[Violation]:
    """All that the standard forbids and the pod does. The very same spec is asked once."""
    if standard.level == PRIVILEGED:
        return []
    annotations = metadata.get("annotations") or {}
    said = tuple((key, annotations[key]) for key in annotations if "apparmor" in key or "seccomp" in key)
    return _found.get(spec, (standard, said), lambda _: _violations(standard, metadata, spec))  # type: ignore[no-any-return]


def _violations(standard: Standard, metadata: Manifest, spec: Manifest) -> list[Violation]:
    asked = (question(metadata, spec) for question in pod_standards.questions(standard.level, standard.minor))
    return [answer for answer in asked if answer is not None]


def _told(found: list[Violation]) -> str:
    return ", ".join(f"{reason} ({detail})" if detail else reason for reason, detail in found)


# --- pods and workloads -----------------------------------------------------------------------------------------


def check_pod(server: Any, attributes: Attributes) -> None:
    """Errors: Forbidden, with all that the namespace's standard forbids."""
    policy = policy_of(server.informers.get("Namespace", "", attributes.namespace))
    pod = attributes.obj
    if policy.is_open or (attributes.old is not None and not _is_significant(pod, attributes.old)):
        return
    if found := violations(policy.enforce, pod["metadata"], pod["spec"]):
        message = f'violates PodSecurity "{policy.enforce}": {_told(found)}'
        raise errors.Forbidden("", "pods", attributes.name, message)
    _warn(policy, pod["metadata"], pod["spec"], attributes)


def check_workload(server: Any, attributes: Attributes) -> None:
    """Warns of pods that the workload would make and the namespace would refuse."""
    policy = policy_of(server.informers.get("Namespace", "", attributes.namespace))
    if policy.is_open:
        return
    template = _template(attributes.obj)
    if template and template.get("spec"):
        _warn(policy, template.get("metadata") or {}, template["spec"], attributes)


def _warn(policy: Policy, metadata: Manifest, spec: Manifest, attributes: Attributes) -> None:
    if found := violations(policy.audit, metadata, spec):
        attributes.audit["audit-violations"] = f'would violate PodSecurity "{policy.audit}": {_told(found)}'
    if found := violations(policy.warn, metadata, spec):
        attributes.warnings.append(f'would violate PodSecurity "{policy.warn}": {_told(found)}')


def _template(obj: Manifest) -> Manifest | None:
    if obj["kind"] == "PodTemplate":
        return obj.get("template")
    spec = obj.get("spec") or {}
    if obj["kind"] == "CronJob":
        spec = (spec.get("jobTemplate") or {}).get("spec") or {}
    return spec.get("template")


def _is_significant(pod: Manifest, old: Manifest) -> bool:
    """Only other containers, images and profiles can make a pod break a standard that it kept before."""
    if pod["spec"] is old["spec"] and pod["metadata"].get("annotations") == old["metadata"].get("annotations"):
        return False
    return _significant(pod) != _significant(old)


def _significant(pod: Manifest) -> Any:
    annotations, spec = pod["metadata"].get("annotations") or {}, pod["spec"]
    parts = ("containers", "initContainers", "ephemeralContainers")
    names = [[(c["name"], c.get("image")) for c in spec.get(part) or ()] for part in parts]
    return names, sorted((k, v) for k, v in annotations.items() if "apparmor" in k or "seccomp" in k)


# --- namespaces -------------------------------------------------------------------------------------------------


def check_namespace(server: Any, attributes: Attributes) -> None:
    """Errors: Invalid, for labels that mean nothing. Warns of pods that a stricter level would refuse."""
    policy, before = policy_of(attributes.obj), policy_of(attributes.old)
    if policy.problems and (attributes.operation == CREATE or policy.problems != before.problems):
        raise errors.Invalid("", "Namespace", attributes.name, list(policy.problems))
    now, then = policy.enforce, before.enforce
    relaxed = now.version == then.version and LEVELS.index(now.level) <= LEVELS.index(then.level)
    if attributes.operation == UPDATE and now != then and now.level != PRIVILEGED and not relaxed:
        attributes.warnings += _existing(server, attributes.name, now)


def _existing(server: Any, namespace: str, standard: Standard) -> list[str]:
    """One line for all pods that break the standard, and one for each way of breaking it."""
    pods, said = server.informers.list("Pod", namespace), []
    looked_at = _prioritized(pods)[:MAX_PODS]
    ways: dict[str, list[str]] = {}
    for pod in looked_at:
        if found := violations(standard, pod["metadata"], pod["spec"]):
            ways.setdefault(", ".join(reason for reason, _ in found), []).append(meta.name(pod))
    if len(looked_at) < len(pods):
        first = f"the first {len(looked_at)} of {len(pods)} existing pods"
        said.append(f"new PodSecurity enforce level only checked against {first}")
    if ways:
        said.append(f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"')
    return said + sorted(f"{_some(names)}: {way}" for way, names in ways.items())


def _prioritized(pods: list[Manifest]) -> list[Manifest]:
    """One pod of each controller first: the others are like it."""
    seen: set[str] = set()
    first: list[Manifest] = []
    rest: list[Manifest] = []
    for pod in pods:
        owner = (meta.controller_of(pod) or {}).get("uid", "")
        (rest if owner and owner in seen else first).append(pod)
        seen.add(owner)
    return first + rest


def _some(names: list[str]) -> str:
    others = len(names) - 1
    more = f" (and {others} other pod{'s' if others > 1 else ''})" if others else ""
    return min(names) + more


_POD_PARTS = ("", "ephemeralcontainers", "resize")
PLUGINS = (
    Plugin("PodSecurity", validate=check_pod, kinds=("Pod",), operations=(CREATE, UPDATE), subresources=_POD_PARTS),
    Plugin("PodSecurity", validate=check_workload, kinds=WORKLOADS, operations=(CREATE, UPDATE)),
    Plugin("PodSecurity", validate=check_namespace, kinds=("Namespace",), operations=(CREATE, UPDATE)),
)
