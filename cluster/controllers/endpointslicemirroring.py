"""EndpointSlice mirroring: Endpoints that somebody wrote by hand become slices, so that kube-proxy sees them too.

A Service without a selector names no pods; its addresses are a database outside, say, and stand in an Endpoints object
of the same name. Nothing that routes packets reads Endpoints any more, so each subset is copied into a slice:

    Service db (no selector)    Endpoints db --owns--> EndpointSlice db-x7k2p

Copies follow their Endpoints and go with them, or as soon as the Service gets a selector.

Mirrors:  kubernetes/pkg/controller/endpointslicemirroring (endpointslicemirroring_controller.go, reconciler.go)
Left out: batching of updates (off by default there), retries that end after 15 times.
"""

import ipaddress

from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta
from cluster.objects.errors import NotFound
from cluster.objects.services import SERVICE_NAME

PER_SUBSET = 1_000
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
OURS = "endpointslicemirroring-controller.k8s.io"
SKIP = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"  # Endpoints that only serve as a lock of old elections.
NOT_COPIED = ("endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration")

Group = tuple[str, str]  # (address type, the ports as text): what one slice can hold.
Endpoints = dict[str, Manifest]  # Endpoints of a slice by what tells them apart.


class EndpointSliceMirroringController(Controller):
    name = "endpoint-slice-mirroring-controller"
    source = "endpoint-slice-mirroring-controller"
    kind = "Endpoints"
    reaction = 30_000

    def watch(self) -> None:
        self.writing = False
        super().watch()
        self.informers.add_index("EndpointSlice", "mirrored", _mirrored)
        self.informers.subscribe("Service", self._service_changed, self.name)
        self.informers.subscribe("EndpointSlice", self._slice_changed, self.name)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Most Endpoints belong to Services with a selector and change with every pod: those are nobody's business."""
        endpoints = new or old or {}
        service = self.informers.get("Service", meta.namespace(endpoints), meta.name(endpoints))
        if service is not None and service["spec"].get("selector"):
            return
        if any(version is not None and _to_mirror(version) for version in (old, new)):
            self.queue.add(meta.key(endpoints))

    def _service_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is not None and new is not None and old["spec"].get("selector") == new["spec"].get("selector"):
            return
        service = new or old or {}
        key = meta.key(service)
        if self.informers.by_key("Endpoints", key) is not None or self.informers.by_index(
            "EndpointSlice", "mirrored", key
        ):
            self.queue.add(key)

    def _slice_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        """Only somebody else's hand on our slices is news."""
        if self.writing:
            return
        for key in dict.fromkeys(key for version in (old, new) if version is not None for key in _mirrored(version)):
            self.queue.add(key)

    def process(self, key: str) -> None:
        self.writing = True
        try:
            self._mirror(key)
        finally:
            self.writing = False

    def _mirror(self, key: str) -> None:
        """Copy the Endpoints, if they are to be copied; else see that no copy is left."""
        endpoints, service = self.informers.by_key("Endpoints", key), self.informers.by_key("Service", key)
        copies = self.informers.by_index("EndpointSlice", "mirrored", key)
        if endpoints is None or not _to_mirror(endpoints) or service is None or service["spec"].get("selector"):
            for copy in copies:
                self._drop(copy)
            return
        wanted, ports, invalid, skipped = self._wanted(endpoints)
        if invalid:
            text = f"Skipped {invalid} invalid IP addresses when mirroring to EndpointSlices"
            self.recorder.event(endpoints, "Warning", "InvalidIPAddress", text)
        if skipped > invalid:
            text = f"A max of {PER_SUBSET} addresses can be mirrored to EndpointSlices per Endpoints subset. "
            text += f"{skipped} addresses were skipped"
            self.recorder.event(endpoints, "Warning", "TooManyAddressesToMirror", text)
        self._write(endpoints, copies, wanted, ports)

    def _wanted(self, endpoints: Manifest) -> tuple[dict[Group, Endpoints], dict[Group, list[Manifest]], int, int]:
        """(endpoints by group, ports by group, how many addresses are none, how many are left out in all)."""
        wanted: dict[Group, Endpoints] = {}
        ports: dict[Group, list[Manifest]] = {}
        invalid = skipped = 0
        for subset in endpoints.get("subsets") or []:
            numbers = [{"name": "", "protocol": "TCP", **port} for port in subset.get("ports") or []]
            addresses = [(address, True) for address in subset.get("addresses") or []]
            addresses += [(address, False) for address in subset.get("notReadyAddresses") or []]
            added = 0
            for address, ready in addresses:
                if added == PER_SUBSET:
                    break
                type_ = family(address["ip"])
                if not type_:
                    invalid += 1
                    continue
                group = (type_, _text(numbers))
                ports[group] = numbers
                endpoint = _endpoint(address, ready)
                wanted.setdefault(group, {})[_identity(endpoint)] = endpoint
                added += 1
            skipped += len(addresses) - added
        return wanted, ports, invalid, skipped

    def _write(
        self,
        endpoints: Manifest,
        copies: list[Manifest],
        wanted: dict[Group, Endpoints],
        ports: dict[Group, list[Manifest]],
    ) -> None:
        """One slice a group; a slice that nobody needs is rather rewritten than dropped while another is made."""
        there: dict[Group, list[Manifest]] = {}
        for copy in copies:
            there.setdefault((copy["addressType"], _text(copy.get("ports") or [])), []).append(copy)
        spare = [copy for group, found in there.items() for copy in (found[1:] if group in wanted else found)]
        missing = [group for group in wanted if group not in there]
        updates = [(group, found[0]) for group, found in there.items() if group in wanted]
        for group in list(missing):
            reused = next((copy for copy in spare if copy["addressType"] == group[0]), None)
            if reused is not None:
                spare.remove(reused)
                missing.remove(group)
                updates.append((group, reused))
        for group in missing:
            self._create(endpoints, group, wanted[group], ports[group])
        for group, copy in updates:
            self._update(endpoints, copy, wanted[group], ports[group])
        for copy in spare:
            self._drop(copy)

    def _create(self, endpoints: Manifest, group: Group, wanted: Endpoints, ports: list[Manifest]) -> None:
        if meta.is_deleting(endpoints):
            return
        metadata = {"generateName": f"{meta.name(endpoints)}-", "namespace": meta.namespace(endpoints)}
        self.client.create(
            {
                "kind": "EndpointSlice",
                "apiVersion": "discovery.k8s.io/v1",
                "metadata": {**metadata, **_copied(endpoints)},
                "addressType": group[0],
                "endpoints": list(wanted.values()),
                "ports": ports,
            }
        )

    def _update(self, endpoints: Manifest, copy: Manifest, wanted: Endpoints, ports: list[Manifest]) -> None:
        """Put it right, unless it is: the same endpoints in any order, the same labels and annotations."""
        copied, metadata = _copied(endpoints), copy["metadata"]
        same = {_identity(endpoint): endpoint for endpoint in copy.get("endpoints") or []} == wanted
        same = same and _text(copy.get("ports") or []) == _text(ports)
        if same and all((metadata.get(name) or {}) == copied[name] for name in ("labels", "annotations")):
            return
        self.client.update(
            {**copy, "metadata": {**metadata, **copied}, "endpoints": list(wanted.values()), "ports": ports}
        )

    def _drop(self, copy: Manifest) -> None:
        try:
            self.client.delete("EndpointSlice", meta.namespace(copy), meta.name(copy))
        except NotFound:
            return


def _to_mirror(endpoints: Manifest) -> bool:
    return meta.labels(endpoints).get(SKIP) != "true" and LEADER not in meta.annotations(endpoints)


def _mirrored(piece: Manifest) -> list[str]:
    """Index of slices: the Service whose Endpoints they copy."""
    labels = meta.labels(piece)
    service = labels.get(SERVICE_NAME)
    return [f"{meta.namespace(piece)}/{service}"] if service and labels.get(MANAGED_BY) == OURS else []


def _copied(endpoints: Manifest) -> Manifest:
    """What the metadata of a copy has of its Endpoints."""
    labels = {**meta.labels(endpoints), SERVICE_NAME: meta.name(endpoints), MANAGED_BY: OURS}
    annotations = {name: text for name, text in meta.annotations(endpoints).items() if name not in NOT_COPIED}
    return {"labels": labels, "annotations": annotations, "ownerReferences": [meta.owner_reference(endpoints)]}


def family(address: str) -> str:
    """`IPv4`, `IPv6`, or nothing if it is no address. Leading zeros, which Endpoints may have, are read as decimal."""
    try:
        parsed = ipaddress.ip_address(
            address if ":" in address else ".".join(p.lstrip("0") or "0" for p in address.split("."))
        )
    except ValueError:
        return ""
    return f"IPv{parsed.version}"


def _endpoint(address: Manifest, ready: bool) -> Manifest:
    endpoint: Manifest = {"addresses": [address["ip"]], "conditions": {"ready": ready}}
    for name in ("hostname", "targetRef", "nodeName"):
        if address.get(name):
            endpoint[name] = address[name]
    return endpoint


def _identity(endpoint: Manifest) -> str:
    """Two entries of this same text are one endpoint."""
    target = endpoint.get("targetRef") or {}
    names = (target.get("namespace"), target.get("name"), target.get("uid"), target.get("kind"))
    return repr((endpoint["addresses"], endpoint.get("hostname"), names))


def _text(ports: list[Manifest]) -> str:
    """The same ports in any order have the same text."""
    return repr(
        sorted((p.get("name") or "", p.get("port") or 0, p.get("protocol"), p.get("appProtocol") or "") for p in ports)
    )
