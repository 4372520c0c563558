"""EndpointSlice controller: which pods stand behind a Service, in slices of a hundred.

A pod that is being deleted stays in the slice as `terminating` until it is gone, so that open connections can finish.
kube-proxy reads slices; nobody asks the pods.

Mirrors:  kubernetes/pkg/controller/endpointslice, staging/src/k8s.io/endpointslice (reconciler.go, utils.go)
Left out: topology hints, IPv6, batching of pod changes.
"""

from typing import Any

from cluster.controllers.service_pods import ServicePods, port_numbers
from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta, pods
from cluster.objects.errors import NotFound

PER_SLICE = 100
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
OURS = "endpointslice-controller.k8s.io"
SERVICE_NAME = "kubernetes.io/service-name"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"


class EndpointSliceController(Controller):
    name = "endpoint-slice-controller"
    source = "endpoint-slice-controller"
    kind = "Service"
    owns = ("EndpointSlice",)
    reaction = 30_000

    def watch(self) -> None:
        super().watch()
        self.pods = ServicePods(self.informers, self.queue, self.name)

    def _owned_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Only somebody else's hand on our slices is news."""
        if new is None:
            super()._owned_changed(old, new)

    def reconcile(self, service: Manifest) -> None:
        """Endpoints stay in the slice where they are; changed ones are replaced in place, new ones fill the gaps."""
        if not service["spec"].get("selector") or service["spec"].get("type") == "ExternalName" or meta.is_deleting(service):
            return
        publish = bool(service["spec"].get("publishNotReadyAddresses"))
        wanted: dict[str, dict[str, Any]] = {}  # Group of port numbers → endpoints by pod uid.
        groups: dict[str, list[Manifest]] = {}
        found = self.pods.behind(service)
        for pod in found:
            if pods.is_terminal(pod) or not (pod.get("status") or {}).get("podIP"):
                continue
            ports = port_numbers(service, pod)
            group = repr([(p.get("name"), p["port"], p["protocol"]) for p in ports])
            groups[group] = ports
            wanted.setdefault(group, {})[meta.uid(pod)] = self._endpoint(pod, publish)
        trigger = self.pods.trigger_time(service, found)
        slices = [s for s in self.owned("EndpointSlice", service) if meta.labels(s).get(MANAGED_BY) == OURS]
        if not wanted:
            self._keep_one_empty(service, slices, trigger)
            return
        for group, endpoints in wanted.items():
            same = [s for s in slices if _group_of(s) in (group, "")]
            slices = [s for s in slices if s not in same]
            self._fill(service, same, endpoints, groups[group], trigger)
        for leftover in slices:
            self._drop(leftover)

    def _endpoint(self, pod: Manifest, publish: bool) -> Manifest:
        terminating, ready = meta.is_deleting(pod), pods.is_ready(pod)
        status = {"ready": publish or (ready and not terminating), "serving": ready, "terminating": terminating}
        target = {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)}
        node = pod["spec"].get("nodeName", "")
        endpoint = {"addresses": [pod["status"]["podIP"]], "conditions": status, "targetRef": target, "nodeName": node}
        host = self.informers.get("Node", "", node)
        zone = meta.labels(host).get("topology.kubernetes.io/zone") if host else None
        return {**endpoint, "zone": zone} if zone else endpoint

    def _fill(
        self, service: Manifest, slices: list[Manifest], wanted: dict[str, Manifest], ports: list[Manifest], trigger: str
    ) -> None:
        left = dict(wanted)
        plans: list[tuple[Manifest | None, list[Manifest]]] = []
        for piece in slices:
            kept = []
            for endpoint in piece.get("endpoints") or []:
                uid = (endpoint.get("targetRef") or {}).get("uid", "")
                if uid in left:
                    kept.append(left.pop(uid))
            plans.append((piece, kept))
        new = list(left.values())
        for _, endpoints in plans:
            room = PER_SLICE - len(endpoints)
            endpoints += new[:room]
            new = new[room:]
        plans += [(None, new[start : start + PER_SLICE]) for start in range(0, len(new), PER_SLICE)]
        filled = any(endpoints for _, endpoints in plans)
        for existing, endpoints in plans:
            if existing is not None and not endpoints and filled:
                self._drop(existing)
            else:
                self._write(service, existing, endpoints, ports, trigger)

    def _keep_one_empty(self, service: Manifest, slices: list[Manifest], trigger: str) -> None:
        for extra in slices[1:]:
            self._drop(extra)
        self._write(service, slices[0] if slices else None, None, None, trigger)

    def _write(
        self, service: Manifest, existing: Manifest | None, endpoints: Any, ports: list[Manifest] | None, trigger: str
    ) -> None:
        labels = {MANAGED_BY: OURS, SERVICE_NAME: meta.name(service), **meta.labels(service)}
        if service["spec"].get("clusterIP") == "None":
            labels[HEADLESS] = ""
        if existing is None:
            metadata = {
                "generateName": f"{meta.name(service)}-",
                "namespace": meta.namespace(service),
                "labels": labels,
                "annotations": {TRIGGER: trigger},
                "ownerReferences": [meta.owner_reference(service)],
            }
            body = {"addressType": "IPv4", "endpoints": endpoints, "ports": ports}
            self.client.create({"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": metadata, **body})
            return
        if existing.get("endpoints") == endpoints and existing.get("ports") == ports and meta.labels(existing) == labels:
            return
        annotations = {k: v for k, v in meta.annotations(existing).items() if k != TRIGGER}
        if trigger:
            annotations[TRIGGER] = trigger
        metadata = {**existing["metadata"], "labels": labels, "annotations": annotations}
        self.client.update({**existing, "metadata": metadata, "endpoints": endpoints, "ports": ports})

    def _drop(self, piece: Manifest) -> None:
        try:
            self.client.delete("EndpointSlice", meta.namespace(piece), meta.name(piece))
        except NotFound:
            return


def _group_of(piece: Manifest) -> str:
    ports = piece.get("ports")
    return repr([(p.get("name"), p["port"], p["protocol"]) for p in ports]) if ports else ""
