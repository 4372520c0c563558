"""EndpointSlice controller: which pods stand behind a Service, in slices of a hundred.

A pod that is being deleted stays in the slice as `terminating` until it is gone, so that open connections can finish.
kube-proxy reads slices; nobody asks the pods.

Mirrors:  kubernetes/pkg/controller/endpointslice, staging/src/k8s.io/endpointslice (reconciler.go, utils.go)
Left out: topology hints, IPv6.
"""

from cluster.controllers.service_pods import Changes, ServicePods, hostname, port_numbers, selects
from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta, nodes, pods
from cluster.objects.errors import NotFound
from cluster.objects.memo import IdentityMemo
from cluster.objects.services import SERVICE_NAME

PER_SLICE = 100
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
OURS = "endpointslice-controller.k8s.io"
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
HEADLESS = "service.kubernetes.io/headless"

Ports = dict[str, list[Manifest]]  # Port numbers as text → the ports as a slice has them.
Groups = dict[str, dict[str, Manifest]]  # Port numbers as text → endpoints by pod uid.


class EndpointSliceController(Controller):
    name = "endpoint-slice-controller"
    source = "endpoint-slice-controller"
    kind = "Service"
    owns = ("EndpointSlice",)
    reaction = 30_000

    def watch(self) -> None:
        self.pods = ServicePods(self.informers, self.queue, self.memory, self.name)
        self.writing = False
        self.inside = IdentityMemo(4_096)
        super().watch()

    def _owned_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Only somebody else's hand on our slices is news."""
        if self.writing or (old is None and new is not None):
            return
        self.pods.forget(f"{meta.namespace(new or old or {})}/{meta.labels(new or old or {}).get(SERVICE_NAME, '')}")
        super()._owned_changed(old, new)

    def reconcile(self, service: Manifest) -> None:
        """Endpoints stay in the slice where they are; changed ones are replaced in place, new ones fill the gaps."""
        if not selects(service) or meta.is_deleting(service):
            return
        changes = self.pods.changes(service)
        looked_at: Changes = dict(self.pods.behind(service)) if changes is None else changes
        ports: Ports = {}
        wanted = self._wanted(service, looked_at, ports)
        slices = [s for s in self.owned("EndpointSlice", service) if meta.labels(s).get(MANAGED_BY) == OURS]
        self.writing = True
        try:
            self._spread(service, slices, wanted, changes, ports)
        finally:
            self.writing = False
        self.pods.seen(service)

    # --- what there should be -----------------------------------------------------------------------------------

    def _wanted(self, service: Manifest, looked_at: Changes, ports: Ports) -> Groups:
        """Endpoints of these pods, by group. `ports` is filled with each group's port list."""
        wanted: Groups = {}
        for uid, pod in looked_at.items():
            if pod is None or pods.is_terminal(pod) or not (pod.get("status") or {}).get("podIP"):
                continue
            numbers = port_numbers(service, pod)
            group = _group(numbers)
            ports.setdefault(group, numbers)
            wanted.setdefault(group, {})[uid] = self._endpoint(service, pod)
        return wanted

    def _endpoint(self, service: Manifest, pod: Manifest) -> Manifest:
        terminating, ready = meta.is_deleting(pod), pods.is_ready(pod)
        publish = bool(service["spec"].get("publishNotReadyAddresses"))
        status = {"ready": publish or (ready and not terminating), "serving": ready, "terminating": terminating}
        target = {"kind": "Pod", "namespace": meta.namespace(pod), "name": meta.name(pod), "uid": meta.uid(pod)}
        node = pod["spec"].get("nodeName", "")
        endpoint = {"addresses": [pod["status"]["podIP"]], "conditions": status}
        if name := hostname(service, pod):
            endpoint["hostname"] = name
        endpoint |= {"targetRef": target, "nodeName": node}
        host = self.informers.get("Node", "", node)
        zone = meta.labels(host).get(nodes.ZONE) if host else None
        return {**endpoint, "zone": zone} if zone else endpoint

    # --- where it goes ------------------------------------------------------------------------------------------

    def _spread(
        self, service: Manifest, slices: list[Manifest], wanted: Groups, changes: Changes | None, ports: Ports
    ) -> None:
        """Decide with as few writes as can be. `changes` None: what is not wanted goes; else only those are judged."""
        labels, plans, dropped = _labels(service), {group: Plan() for group in wanted}, []
        for piece in slices:
            group, found = _group(piece.get("ports")), piece.get("endpoints") or []
            kept = self._kept(found, wanted.get(group, {}), changes)
            plan = plans.setdefault(group, Plan())
            ports.setdefault(group, piece.get("ports") or [])
            if not kept:
                dropped.append(piece)
            elif kept is found and meta.labels(piece) == labels:
                plan.untouched.append(piece)
            else:
                plan.changed.append((piece, kept))
        for group, plan in sorted(plans.items()):
            plan.add(list(wanted.get(group, {}).values()))
        created = [(group, endpoints) for group, plan in sorted(plans.items()) for endpoints in plan.created]
        if len(dropped) == len(slices) and not created:
            self._leave_one_empty(service, dropped)
            return
        recycled = list(zip(dropped, created[::-1], strict=False))  # Rather rewrite a slice than drop and make one.
        for group, endpoints in created[: len(created) - len(recycled)]:
            self._create(service, endpoints, ports[group])
        for group, plan in sorted(plans.items()):
            for piece, endpoints in plan.changed:
                self._update(service, piece, endpoints, ports[group])
        for piece, (group, endpoints) in recycled:
            self._update(service, piece, endpoints, ports[group])
        for piece in dropped[len(recycled) :]:
            self._drop(piece)

    def _kept(self, found: list[Manifest], wanted: dict[str, Manifest], changes: Changes | None) -> list[Manifest]:
        """Endpoints that stay in a slice, the changed ones replaced; they are taken out of `wanted`.

        It is `found` itself if nothing changes.
        """
        uids: dict[str, None] = self.inside.get(found, None, _uids)
        if changes is not None and changes.keys().isdisjoint(uids):
            return found
        kept = []
        for endpoint in found:
            uid = _uid(endpoint)
            if changes is not None and uid not in changes:
                kept.append(endpoint)
            elif uid in wanted:
                kept.append(wanted.pop(uid))
        return found if kept == found else kept

    def _leave_one_empty(self, service: Manifest, slices: list[Manifest]) -> None:
        """A Service without endpoints has one slice that says so."""
        if not slices:
            self._create(service, None, None)
        for extra in slices[1:]:
            self._drop(extra)
        for piece in slices[:1]:
            empty = piece.get("endpoints") is None and piece.get("ports") is None
            if not empty or meta.labels(piece) != _labels(service):
                self._update(service, piece, None, None)

    # --- writing ------------------------------------------------------------------------------------------------

    def _create(self, service: Manifest, endpoints: list[Manifest] | None, ports: list[Manifest] | None) -> None:
        trigger = self.pods.trigger_time(service)
        metadata = {
            "generateName": f"{meta.name(service)}-",
            "namespace": meta.namespace(service),
            "labels": _labels(service),
            **({"annotations": {TRIGGER: trigger}} if trigger else {}),
            "ownerReferences": [meta.owner_reference(service)],
        }
        piece = {"kind": "EndpointSlice", "apiVersion": "discovery.k8s.io/v1", "metadata": metadata}
        self.client.create({**piece, "addressType": "IPv4", "endpoints": endpoints, "ports": ports})

    def _update(
        self, service: Manifest, piece: Manifest, endpoints: list[Manifest] | None, ports: list[Manifest] | None
    ) -> None:
        trigger = self.pods.trigger_time(service)
        annotations = {k: v for k, v in meta.annotations(piece).items() if k != TRIGGER}
        if trigger:
            annotations[TRIGGER] = trigger
        metadata = {**piece["metadata"], "labels": _labels(service), "annotations": annotations}
        self.client.update({**piece, "metadata": metadata, "endpoints": endpoints, "ports": ports})

    def _drop(self, piece: Manifest) -> None:
        try:
            self.client.delete("EndpointSlice", meta.namespace(piece), meta.name(piece))
        except NotFound:
            return


class Plan:
    """What becomes of the slices of one group of ports. `changed`: with their new endpoints; `created`: new slices."""

    def __init__(self) -> None:
        self.untouched: list[Manifest] = []
        self.changed: list[tuple[Manifest, list[Manifest]]] = []
        self.created: list[list[Manifest]] = []

    def add(self, new: list[Manifest]) -> None:
        """Into slices that are written anyway, then all that is left into one untouched slice, then into new ones."""
        for at, (piece, endpoints) in sorted(enumerate(self.changed), key=lambda item: -len(item[1][1])):
            room = PER_SLICE - len(endpoints)
            self.changed[at] = (piece, [*endpoints, *new[:room]])
            new = new[room:]
        while new:
            host = self._fullest_with_room_for(len(new))
            if host is not None:
                self.untouched.remove(host)
                self.changed.append((host, [*host["endpoints"], *new]))
                return
            self.created.append(new[:PER_SLICE])
            new = new[PER_SLICE:]

    def _fullest_with_room_for(self, number: int) -> Manifest | None:
        fitting = [piece for piece in self.untouched if len(piece["endpoints"]) + number <= PER_SLICE]
        return max(fitting, key=lambda piece: len(piece["endpoints"]), default=None) if number < PER_SLICE else None


def _labels(service: Manifest) -> dict[str, str]:
    headless = {HEADLESS: ""} if service["spec"].get("clusterIP") == "None" else {}
    return {**meta.labels(service), MANAGED_BY: OURS, SERVICE_NAME: meta.name(service), **headless}


def _group(ports: list[Manifest] | None) -> str:
    return repr([(p.get("name"), p["port"], p["protocol"]) for p in ports or []])


def _uid(endpoint: Manifest) -> str:
    return str((endpoint.get("targetRef") or {}).get("uid", ""))


def _uids(endpoints: list[Manifest]) -> dict[str, None]:
    return dict.fromkeys(map(_uid, endpoints))
