"""Pods: what their status means to everybody who asks."""

from typing import Any

from cluster.objects import Manifest, conditions, meta, quantity


def phase(pod: Manifest) -> str:
    return str((pod.get("status") or {}).get("phase", "Pending"))


def is_scheduled(pod: Manifest) -> bool:
    return bool(pod["spec"].get("nodeName"))


def is_terminal(pod: Manifest) -> bool:
    """Succeeded or Failed: its containers never run again."""
    return phase(pod) in ("Succeeded", "Failed")


def is_alive(pod: Manifest) -> bool:
    """Counts as a replica: neither terminal nor being deleted."""
    return not meta.is_deleting(pod) and not is_terminal(pod)


def is_ready(pod: Manifest) -> bool:
    for condition in (pod.get("status") or {}).get("conditions") or ():
        if condition["type"] == "Ready":
            return bool(condition["status"] == "True")
    return False


def ready_since(pod: Manifest) -> str:
    """When Ready last changed, RFC 3339; empty if never."""
    condition = conditions.get(pod, "Ready")
    return str(condition.get("lastTransitionTime", "")) if condition else ""


def restarts(pod: Manifest) -> int:
    """How often its containers were restarted: the largest count."""
    return max((s.get("restartCount", 0) for s in (pod.get("status") or {}).get("containerStatuses") or ()), default=0)


def containers(pod: Manifest) -> list[dict[str, Any]]:
    return pod["spec"].get("containers") or []


def everyone(pod: Manifest) -> list[dict[str, Any]]:
    """All of its containers: those that initialise, those that run, and those that look into them."""
    spec = pod["spec"]
    return [*(spec.get("initContainers") or ()), *spec["containers"], *(spec.get("ephemeralContainers") or ())]


def tolerates(pod: Manifest, taint: Manifest) -> bool:
    return any(toleration_matches(toleration, taint) for toleration in pod["spec"].get("tolerations") or ())


def toleration_matches(toleration: Manifest, taint: Manifest) -> bool:
    """Source: k8s.io/component-helpers, Toleration.ToleratesTaint."""
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    operator = toleration.get("operator") or "Equal"
    if operator == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def qos_class(pod: Manifest) -> str:
    """Guaranteed, Burstable or BestEffort: by CPU and memory of the pod as a whole, else of its containers.

    Source: kubernetes/pkg/apis/core/v1/helper/qos/qos.go (ComputePodQOS)
    """
    spec = pod["spec"]
    everyone = [spec] if spec.get("resources") else [*containers(pod), *(spec.get("initContainers") or ())]
    parts = [one.get("resources") or {} for one in everyone]
    requests = [_computing(part.get("requests")) for part in parts]
    limits = [_computing(part.get("limits")) for part in parts]
    asked, limited = _sums(requests), _sums(limits)
    if not asked and not limited:
        return "BestEffort"
    return "Guaranteed" if asked == limited and all(len(limit) == 2 for limit in limits) else "Burstable"


def _computing(amounts: dict[str, str] | None) -> dict[str, int]:
    """CPU and memory above zero, in billionths."""
    found = {name: quantity.parse(text)[0] for name, text in (amounts or {}).items() if name in ("cpu", "memory")}
    return {name: amount for name, amount in found.items() if amount > 0}


def _sums(parts: list[dict[str, int]]) -> dict[str, int]:
    return {
        name: sum(part.get(name, 0) for part in parts) for name in sorted({name for part in parts for name in part})
    }


def by_node(pod: Manifest) -> list[str]:
    """The node that a pod is bound to, if any: for an index."""
    node = pod["spec"].get("nodeName")
    return [node] if node else []


# --- static pods ------------------------------------------------------------------------------------------------

MIRROR = "kubernetes.io/config.mirror"  # On what the API server shows of a static pod: the uid at its kubelet's.


def is_mirror(pod: Manifest) -> bool:
    """Is it only the image of a pod that a kubelet runs from a file?"""
    return MIRROR in meta.annotations(pod)


def uid_at_node(pod: Manifest) -> str:
    """The uid under which its kubelet runs it: a mirror pod has another one than the static pod that it shows."""
    return str(meta.annotations(pod).get(MIRROR) or meta.uid(pod))
