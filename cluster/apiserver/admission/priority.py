"""Priority: a pod names a PriorityClass; the number behind it is what the scheduler compares.

Mirrors:  kubernetes/plugin/pkg/admission/priority/admission.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, errors, meta
from cluster.objects.memo import IdentityMemo

_memo = IdentityMemo(512)


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Errors: Forbidden if there is no such class, or the pod claims another number than its class has."""
    pod = attributes.obj
    name = pod["spec"].get("priorityClassName", "")
    found = server.informers.get("PriorityClass", "", name) if name else _default(server)
    if name and found is None:
        raise _forbidden(pod, f"no PriorityClass with name {name} was found")
    class_name = found["metadata"]["name"] if found else ""
    value = found["value"] if found else 0
    policy = (found or {}).get("preemptionPolicy", "PreemptLowerPriority")
    claimed = pod["spec"].get("priority")
    if claimed is not None and claimed != value:
        raise _forbidden(
            pod,
            f"the integer value of priority ({claimed}) must not be provided in pod spec;"
            f" priority admission controller computed {value} from the given PriorityClass name",
        )
    spec = _memo.get(pod["spec"], (class_name, value, policy), lambda spec: _ranked(spec, class_name, value, policy))
    return pod if spec is pod["spec"] else {**pod, "spec": spec}


def _ranked(spec: Manifest, class_name: str, value: int, policy: str) -> Manifest:
    ranked = {**spec, "priority": value, "preemptionPolicy": spec.get("preemptionPolicy", policy)}
    if class_name:
        ranked["priorityClassName"] = class_name
    return ranked


def _default(server: Any) -> Manifest | None:
    classes = [c for c in server.informers.list("PriorityClass") if c.get("globalDefault")]
    return min(classes, key=lambda c: c["value"]) if classes else None


def _forbidden(pod: Manifest, message: str) -> errors.ApiError:
    return errors.Forbidden("", "pods", meta.name(pod), message)


PLUGIN = Plugin("Priority", mutate=admit, kinds=("Pod",), operations=(CREATE,))
