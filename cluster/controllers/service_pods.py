"""What both endpoint controllers share: which pods of which Services changed, and when that change happened.

A Service may have thousands of pods, and they become ready one after the other. So each look is told only what changed
since the last one; where nobody knows (the first look, a changed Service, a look that failed) it looks at all of them.
Both ways lead to the same endpoints.

The trigger time says when the pod or Service changed that made the endpoints change: kube-proxy measures its delay from
it. A deletion has none.

Mirrors:  staging/src/k8s.io/endpointslice/trigger_time_tracker.go, kubernetes/pkg/controller/util/endpoint
"""

from typing import Any

from cluster.engine.agenda import WorkQueue
from cluster.engine.cells import Section
from cluster.engine.informer import Informers
from cluster.objects import Manifest, conditions, labels, meta, nodes

Changes = dict[str, Manifest | None]


class ServicePods:
    """Wakes `queue` for the Services that a pod belongs, or belonged, to.

    `memory`: cells `trigger/<service>`, when the earliest change happened that no look has seen yet.
    """

    def __init__(self, informers: Informers, queue: WorkQueue, memory: Section, component: str) -> None:
        self.informers, self.queue, self.memory = informers, queue, memory
        self._changed: dict[str, dict[str, str]] = {}  # Derived: Service → uid → key of pods that changed.
        informers.add_index("Pod", "label", _label_pairs)
        informers.add_index("Service", "selecting", lambda s: [meta.namespace(s)] if s["spec"].get("selector") else [])
        informers.subscribe("Pod", self._pod_changed, component)
        informers.subscribe("Service", self._service_changed, component)
        informers.subscribe("Node", self._node_changed, component)

    def _pod_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        pod = new or old or {}
        services = self.informers.by_index("Service", "selecting", meta.namespace(pod))
        if not services or (old is not None and new is not None and _seen(old) == _seen(new)):
            return
        for service in services:
            selector = service["spec"]["selector"]
            if any(p is not None and labels.matches_map(selector, meta.labels(p)) for p in (old, new)):
                self._note(service, pod, "" if new is None or _stamp(new) == _stamp(old) else _stamp(new))

    def _note(self, service: Manifest, pod: Manifest, stamp: str) -> None:
        key = meta.key(service)
        changed = self._changed.get(key)
        if changed is not None:
            changed[meta.uid(pod)] = meta.key(pod)
        earliest = self.memory.get(f"trigger/{key}")
        if stamp and (earliest is None or stamp < earliest):
            self.memory[f"trigger/{key}"] = stamp
        self.queue.add(key)

    def _service_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Another selector, other ports: everything is to be looked at."""
        key = meta.key(new or old or {})
        self.forget(key)
        if old is None and new is not None and selects(new):
            self.memory[f"trigger/{key}"] = meta.created_at(new)
        elif new is None:
            self.memory.pop(f"trigger/{key}")

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Endpoints carry their node's zone."""
        if old is None or new is None or nodes.zone_of(old) != nodes.zone_of(new):
            self._changed.clear()

    def forget(self, key: str) -> None:
        """The next look at Service `key` is at everything."""
        self._changed.pop(key, None)

    def changes(self, service: Manifest) -> Changes | None:
        """Pods that changed since `seen`, by uid: as they are now, or None if they no longer belong here.

        They come oldest first, as in `behind`: a rebuilt world looks at all and must find the same order. None instead
        of a dict: look at all of them.
        """
        changed = self._changed.pop(meta.key(service), None)
        if changed is None:
            return None
        found: Changes = {}
        ranks = self.informers.kind("Pod").ranks
        for uid, key in sorted(changed.items(), key=lambda item: ranks.get(item[1], -1)):
            pod = self.informers.by_key("Pod", key)
            ours = pod is not None and meta.uid(pod) == uid and self._chosen(service, pod)
            found[uid] = pod if ours else None
        return found

    def seen(self, service: Manifest) -> None:
        """The endpoints are right: from here on changes are counted again."""
        self._changed[meta.key(service)] = {}
        self.memory.pop(f"trigger/{meta.key(service)}")

    def trigger_time(self, service: Manifest) -> str:
        """When the earliest change since the last look happened; empty for deletions only."""
        return str(self.memory.get(f"trigger/{meta.key(service)}", ""))

    def behind(self, service: Manifest) -> dict[str, Manifest]:
        """Pods that the Service's selector chooses by uid, oldest first."""
        selector: dict[str, str] = service["spec"]["selector"]
        key, value = min(selector.items())
        found = self.informers.by_index("Pod", "label", f"{meta.namespace(service)}/{key}={value}")
        return {meta.uid(pod): pod for pod in found if self._chosen(service, pod)}

    def _chosen(self, service: Manifest, pod: Manifest) -> bool:
        return labels.matches_map(service["spec"]["selector"], meta.labels(pod))


def _label_pairs(pod: Manifest) -> list[str]:
    namespace = meta.namespace(pod)
    return [f"{namespace}/{key}={value}" for key, value in meta.labels(pod).items()]


def _stamp(pod: Manifest | None) -> str:
    """When Ready last changed."""
    ready = conditions.get(pod, "Ready") if pod is not None else None
    return str(ready.get("lastTransitionTime") or "") if ready is not None else ""


def _seen(pod: Manifest) -> tuple[Any, ...]:
    """What a Service cares about in a pod."""
    status = pod.get("status") or {}
    ready = next((c["status"] for c in status.get("conditions") or () if c["type"] == "Ready"), "")
    metadata = pod["metadata"]
    return status.get("podIP"), ready, status.get("phase"), "deletionTimestamp" in metadata, metadata.get("labels")


def selects(service: Manifest) -> bool:
    """Are this Service's endpoints a controller's business? Without a selector they are made by hand."""
    return bool(service["spec"].get("selector")) and service["spec"].get("type") != "ExternalName"


def hostname(service: Manifest, pod: Manifest) -> str:
    """The name under which the pod can be found below a headless Service's name."""
    spec = pod["spec"]
    return str(spec.get("hostname", "")) if spec.get("subdomain") == meta.name(service) else ""


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
