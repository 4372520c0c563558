"""Endpoints controller: the older form of endpoint slices, one object per Service, at most 1,000 addresses.

Mirrors:  kubernetes/pkg/controller/endpoint/endpoints_controller.go (syncService), pkg/api/v1/endpoints (RepackSubsets)
"""

from cluster.controllers.service_pods import ServicePods, port_numbers
from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta, pods
from cluster.objects.errors import NotFound

TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
HEADLESS = "service.kubernetes.io/headless"
CAPACITY = 1_000


class EndpointsController(Controller):
    name = "endpoint-controller"
    kind = "Service"
    reaction = 32_000

    def watch(self) -> None:
        super().watch()
        self.pods = ServicePods(self.informers, self.queue, self.name)

    def gone(self, key: str) -> None:
        """The Service is gone; so are its Endpoints."""
        namespace, name = meta.split_key(key)
        found = self.informers.get("Endpoints", namespace, name)
        if found is not None and meta.labels(found).get(MANAGED_BY) == "endpoint-controller":
            try:
                self.client.delete("Endpoints", namespace, name)
            except NotFound:
                return

    def reconcile(self, service: Manifest) -> None:
        """Ready addresses, not-ready addresses, and the ports they share."""
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName":
            return
        publish = bool(service["spec"].get("publishNotReadyAddresses"))
        found = self.pods.behind(service)
        groups: dict[str, Manifest] = {}
        for pod in found:
            address = (pod.get("status") or {}).get("podIP")
            if not address or pods.is_terminal(pod) or (meta.is_deleting(pod) and not publish):
                continue
            ports = [{k: v for k, v in port.items() if v != ""} for port in port_numbers(service, pod)]
            subset = groups.setdefault(repr(ports), {"addresses": [], "notReadyAddresses": [], "ports": ports})
            target = {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)}
            entry = {"ip": address, "nodeName": pod["spec"].get("nodeName", ""), "targetRef": target}
            subset["addresses" if publish or pods.is_ready(pod) else "notReadyAddresses"].append(entry)
        subsets = [_tidy(subset) for _, subset in sorted(groups.items())]
        self._write(service, subsets, self.pods.trigger_time(service, found))

    def _write(self, service: Manifest, subsets: list[Manifest], trigger: str) -> None:
        namespace, name = meta.namespace(service), meta.name(service)
        labels = {**meta.labels(service), MANAGED_BY: "endpoint-controller"}
        if service["spec"].get("clusterIP") == "None":
            labels[HEADLESS] = ""
        existing = self.informers.get("Endpoints", namespace, name)
        annotations = {k: v for k, v in meta.annotations(existing or {}).items() if k not in (TRIGGER, OVER_CAPACITY)}
        if trigger:
            annotations[TRIGGER] = trigger
        if any(len(s.get("addresses", [])) + len(s.get("notReadyAddresses", [])) >= CAPACITY for s in subsets):
            annotations[OVER_CAPACITY] = "truncated"
        if existing is None:
            metadata = {"name": name, "namespace": namespace, "labels": labels, "annotations": annotations}
            new = {"kind": "Endpoints", "apiVersion": "v1", "metadata": metadata}
            self.client.create({**new, "subsets": subsets} if subsets else new)
            return
        if existing.get("subsets", []) == subsets and meta.labels(existing) == labels:
            return
        metadata = {**existing["metadata"], "labels": labels, "annotations": annotations}
        rest = {k: v for k, v in existing.items() if k != "subsets"}
        self.client.update({**rest, "metadata": metadata, **({"subsets": subsets} if subsets else {})})


def _tidy(subset: Manifest) -> Manifest:
    """Addresses in order, cut at the capacity, empty lists left out."""
    ready = sorted(subset["addresses"], key=_address_order)[:CAPACITY]
    waiting = sorted(subset["notReadyAddresses"], key=_address_order)[: CAPACITY - len(ready)]
    tidy = {"addresses": ready, "notReadyAddresses": waiting, "ports": subset["ports"]}
    return {name: value for name, value in tidy.items() if value}


def _address_order(entry: Manifest) -> tuple[str, str]:
    return entry["ip"], entry["targetRef"]["uid"]
