"""What both endpoint controllers share: which Services a pod change concerns, and when that change happened.

The trigger time says when the pod or Service changed that made the endpoints change: kube-proxy measures its delay from
it. A deletion has none.

Mirrors:  staging/src/k8s.io/endpointslice/trigger_time_tracker.go, kubernetes/pkg/controller/util/endpoint
"""

from typing import Any

from cluster.engine.agenda import WorkQueue
from cluster.engine.informer import Informers
from cluster.objects import Manifest, conditions, labels, meta


class ServicePods:
    """Wakes `queue` for the Services that a pod belongs, or belonged, to. Remembers nothing."""

    def __init__(self, informers: Informers, queue: WorkQueue, component: str) -> None:
        self.informers, self.queue = informers, queue
        informers.add_index("Pod", "label", _label_pairs)
        informers.add_index("Service", "selecting", lambda s: [meta.namespace(s)] if s["spec"].get("selector") else [])
        informers.subscribe("Pod", self._pod_changed, component)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        pod = new or old or {}
        services = self.informers.by_index("Service", "selecting", meta.namespace(pod))
        if not services or (old is not None and new is not None and _seen(old) == _seen(new)):
            return
        for service in services:
            selector = service["spec"].get("selector")
            if any(p is not None and labels.matches_map(selector, meta.labels(p)) for p in (old, new)):
                self.queue.add(meta.key(service))

    def behind(self, service: Manifest) -> list[Manifest]:
        """Pods that the Service's selector chooses, oldest first."""
        selector: dict[str, str] = service["spec"]["selector"]
        namespace = meta.namespace(service)
        key, value = min(selector.items())
        found = self.informers.by_index("Pod", "label", f"{namespace}/{key}={value}")
        return [pod for pod in found if labels.matches_map(selector, meta.labels(pod))]

    def trigger_time(self, service: Manifest, found: list[Manifest]) -> str:
        """When the newest change happened; empty while a deletion is the newest."""
        stamps = [meta.created_at(service)]
        deletions = [pod["metadata"]["deletionTimestamp"] for pod in found if meta.is_deleting(pod)]
        for pod in found:
            ready = conditions.get(pod, "Ready")
            if ready is not None:
                stamps.append(ready["lastTransitionTime"])
        return "" if deletions else max(stamps)


def _label_pairs(pod: Manifest) -> list[str]:
    namespace = meta.namespace(pod)
    return [f"{namespace}/{key}={value}" for key, value in meta.labels(pod).items()]


def _seen(pod: Manifest) -> tuple[Any, ...]:
    """What a Service cares about in a pod."""
    status = pod.get("status") or {}
    ready = next((c["status"] for c in status.get("conditions") or () if c["type"] == "Ready"), "")
    metadata = pod["metadata"]
    return status.get("podIP"), ready, status.get("phase"), "deletionTimestamp" in metadata, metadata.get("labels")


def port_numbers(service: Manifest, pod: Manifest) -> list[Manifest]:
    """The Service's ports as this pod has them: a named targetPort is looked up in its containers."""
    found = []
    for port in service["spec"].get("ports") or []:
        target = port.get("targetPort", port["port"])
        number = target if isinstance(target, int) else _named_port(pod, str(target), port.get("protocol", "TCP"))
        if number is not None:
            entry = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": number}
            found.append({**entry, "appProtocol": port["appProtocol"]} if port.get("appProtocol") else entry)
    return found


def _named_port(pod: Manifest, name: str, protocol: str) -> int | None:
    if name.isdigit():
        return int(name)
    for container in pod["spec"].get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == name and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return None
