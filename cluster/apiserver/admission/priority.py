"""Priority: a pod names a PriorityClass; the number behind it is what the scheduler compares.

Mirrors:  kubernetes/plugin/pkg/admission/priority/admission.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, errors, meta
from cluster.objects.memo import IdentityMemo

PREEMPTING = "PreemptLowerPriority"
_memo = IdentityMemo(512)


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Errors: Forbidden if there is no such class, or the pod claims something else than its class says."""
    pod = attributes.obj
    name = pod["spec"].get("priorityClassName", "")
    found = server.informers.get("PriorityClass", "", name) if name else _default(server)
    if name and found is None:
        raise _forbidden(attributes, f"no PriorityClass with name {name} was found")
    class_name = found["metadata"]["name"] if found else ""
    value = found["value"] if found else 0
    policy = (found or {}).get("preemptionPolicy", PREEMPTING)
    computed = "must not be provided in pod spec; priority admission controller computed"
    claimed, asked = pod["spec"].get("priority"), pod["spec"].get("preemptionPolicy")
    if claimed is not None and claimed != value:
        problem = f"the integer value of priority ({claimed}) {computed} {value} from the given PriorityClass name"
        raise _forbidden(attributes, problem)
    if asked is not None and asked != policy:
        problem = (
            f"the string value of PreemptionPolicy ({asked}) {computed} {policy} from the given PriorityClass name"
        )
        raise _forbidden(attributes, problem)
    spec = _memo.get(pod["spec"], (class_name, value, policy), lambda spec: _ranked(spec, class_name, value, policy))
    return pod if spec is pod["spec"] else {**pod, "spec": spec}


def _ranked(spec: Manifest, class_name: str, value: int, policy: str) -> Manifest:
    ranked = {**spec, "priority": value, "preemptionPolicy": policy}
    if class_name:
        ranked["priorityClassName"] = class_name
    return ranked


def keep(server: Any, attributes: Attributes) -> Manifest:
    """A PUT that leaves the number out does not mean to change it."""
    pod, old = attributes.obj, (attributes.old or {}).get("spec") or {}
    given = pod.get("spec") or {}
    missing = {n: old[n] for n in ("priority", "preemptionPolicy") if given.get(n) is None and old.get(n) is not None}
    return {**pod, "spec": {**given, **missing}} if missing else pod


def check_class(server: Any, attributes: Attributes) -> None:
    """Errors: Forbidden, for a second class that is everybody's default."""
    default = _default(server) if attributes.obj.get("globalDefault") else None
    if default is not None and (attributes.operation == CREATE or meta.name(default) != attributes.name):
        problem = f"PriorityClass {meta.name(default)} is already marked as default. Only one default can exist"
        raise _forbidden(attributes, problem)


def _default(server: Any) -> Manifest | None:
    classes = [c for c in server.informers.list("PriorityClass") if c.get("globalDefault")]
    return min(classes, key=lambda c: c["value"]) if classes else None


def _forbidden(attributes: Attributes, problem: str) -> errors.ApiError:
    return errors.Forbidden(attributes.resource.group, attributes.resource.plural, attributes.name, problem)


PLUGINS = (
    Plugin("Priority", mutate=admit, kinds=("Pod",), operations=(CREATE,)),
    Plugin("Priority", mutate=keep, kinds=("Pod",), operations=(UPDATE,)),
    Plugin("Priority", validate=check_class, kinds=("PriorityClass",), operations=(CREATE, UPDATE)),
)
