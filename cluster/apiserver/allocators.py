"""Addresses that the API server hands out: cluster IPs and node ports of Services.

The Services themselves say what is taken; nothing else has to be remembered. The first free address from a seeded
start is given, so two clusters with one seed give the same addresses. Every address in use has an IPAddress object,
which comes and goes with its Service.

Mirrors:  kubernetes/pkg/registry/core/service (ipallocator, portallocator)
Left out: IPv6; ServiceCIDRs besides `kubernetes` add no addresses; an IPAddress that somebody deletes stays away.
"""

from ipaddress import IPv4Network, ip_address
from typing import Any

from cluster.apiserver import registry
from cluster.apiserver.registry import Resource
from cluster.apiserver.registry.metadata import is_ip
from cluster.apiserver.storage import Storage
from cluster.engine.dice import Dice
from cluster.engine.informer import Informers
from cluster.objects import Manifest, errors, meta

SERVICE_RANGE = "10.96.0.0/16"
NODE_PORTS = range(30000, 32768)


class Allocators:
    """Finishes Services with addresses and ports nobody has."""

    def __init__(self, informers: Informers, dice: Dice, storage: Storage, options: dict[str, Any]) -> None:
        self.informers, self.dice, self.storage = informers, dice, storage
        self.network = IPv4Network(options.get("service_range", SERVICE_RANGE))

    def on_create(self, resource: Resource, obj: Manifest) -> Manifest:
        return self._service(obj, None) if resource.cache == "Service" else obj

    def on_update(self, resource: Resource, old: Manifest, new: Manifest) -> Manifest:
        return self._service(new, old) if resource.cache == "Service" else new

    def settle(self, old: Manifest | None, new: Manifest | None) -> None:
        """A Service was stored or removed: give its addresses their objects, and take those of addresses it left."""
        before, after = _addresses(old), _addresses(new)
        if before == after:
            return
        kind = registry.by_kind("IPAddress")
        for address in before:
            entry = self.storage.get(kind, "", address)
            if address not in after and entry is not None:
                self.storage.remove(kind, entry)
        for address in after:
            if new is not None and self.storage.get(kind, "", address) is None:
                self.storage.put(kind, None, self._ip_address(address, new))

    def _ip_address(self, address: str, service: Manifest) -> Manifest:
        uid = self.dice.uuid("uid", self.storage.next_revision())
        metadata: Manifest = {"name": address, "uid": uid, "resourceVersion": "", "generation": 1}
        metadata["creationTimestamp"] = self.storage.clock.stamp()
        metadata["labels"] = {
            "ipaddress.kubernetes.io/ip-family": "IPv4",
            "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
        }
        parent = {"resource": "services", "namespace": meta.namespace(service), "name": meta.name(service)}
        head = {"kind": "IPAddress", "apiVersion": "networking.k8s.io/v1", "metadata": metadata}
        return {**head, "spec": {"parentRef": parent}}

    def _service(self, new: Manifest, old: Manifest | None) -> Manifest:
        spec = dict(new["spec"])
        kind = spec.get("type", "ClusterIP")
        if kind == "ExternalName":
            for name in ("clusterIP", "clusterIPs"):
                spec.pop(name, None)
        else:
            self._cluster_ip(new, old, spec)
        if kind in ("NodePort", "LoadBalancer") and spec.get("allocateLoadBalancerNodePorts", True):
            spec["ports"] = self._node_ports(new, spec.get("ports", []))
        self._health_port(new, old, spec)
        return new if spec == new["spec"] else {**new, "spec": spec}

    def _cluster_ip(self, new: Manifest, old: Manifest | None, spec: dict[str, Any]) -> None:
        if old is not None and not spec.get("clusterIP") and old["spec"].get("type") != "ExternalName":
            spec["clusterIP"] = old["spec"].get("clusterIP", "")
        address = spec.get("clusterIP")
        if not address:
            address = self._free_address(meta.uid(new))
        elif problem := self._refusal(address, meta.uid(new)):
            shown = f'["{address}"]: failed to allocate IP {address}: {problem}'
            raise errors.Invalid("", "Service", meta.name(new), [_invalid("spec.clusterIPs", shown)])
        spec["clusterIP"], spec["clusterIPs"] = address, [address]

    def _refusal(self, address: str, uid: str) -> str:
        """Why a Service may not have the address it asks for; empty if it may, or if it is no address at all."""
        if address == "None" or not is_ip(address):
            return ""  # Validation has the word.
        if ip_address(address) not in self.network:
            return "the provided network does not match the current range"
        owner = self._taken().get(address)
        foreign = owner is None and self.informers.get("IPAddress", "", address) is not None
        return "provided IP is already allocated" if foreign or owner not in (None, uid) else ""

    def _taken(self) -> dict[str, str]:
        return {
            s["spec"]["clusterIP"]: meta.uid(s) for s in self.informers.list("Service") if s["spec"].get("clusterIP")
        }

    def _free_address(self, uid: str) -> str:
        taken, size = self._taken(), self.network.num_addresses - 2
        start = self.dice.roll("cluster-ip", uid) % size
        for offset in range(size):
            address = str(self.network[1 + (start + offset) % size])
            if address not in taken and self.informers.get("IPAddress", "", address) is None:
                return address
        raise errors.InternalError("failed to allocate a serviceIP: range is full")

    def _health_port(self, new: Manifest, old: Manifest | None, spec: dict[str, Any]) -> None:
        """Where balancers ask nodes for local endpoints: only with the policy Local, and kept while that lasts."""
        before = old["spec"].get("healthCheckNodePort") if old is not None else None
        if spec.get("type") != "LoadBalancer" or spec.get("externalTrafficPolicy") != "Local":
            if spec.get("healthCheckNodePort") == before:
                spec.pop("healthCheckNodePort", None)
            return
        wanted = spec.get("healthCheckNodePort") or before
        port = {"nodePort": wanted} if wanted else {}
        if wanted != before or not wanted:
            port = self._node_ports(new, [*spec.get("ports", []), port])[-1]
        spec["healthCheckNodePort"] = port["nodePort"]

    def _node_ports(self, service: Manifest, ports: list[Manifest]) -> list[Manifest]:
        uid = meta.uid(service)
        taken = {
            port["nodePort"]
            for other in self.informers.list("Service")
            if meta.uid(other) != uid
            for port in [*other["spec"].get("ports", []), {"nodePort": other["spec"].get("healthCheckNodePort")}]
            if port.get("nodePort")
        }
        result = []
        for number, port in enumerate(ports):
            wanted = port.get("nodePort")
            if wanted and (problem := _port_refusal(wanted, taken)):
                where = f"spec.ports[{number}].nodePort"
                raise errors.Invalid("", "Service", meta.name(service), [_invalid(where, f"{wanted}: {problem}")])
            if not wanted:
                start = self.dice.roll("node-port", uid, number) % len(NODE_PORTS)
                order = (NODE_PORTS[(start + step) % len(NODE_PORTS)] for step in range(len(NODE_PORTS)))
                wanted = next((free for free in order if free not in taken), None)
                if wanted is None:
                    raise errors.InternalError("failed to allocate a nodePort: range is full")
            taken.add(wanted)
            result.append(port if port.get("nodePort") else {**port, "nodePort": wanted})
        return result


def _addresses(service: Manifest | None) -> list[str]:
    given = service["spec"].get("clusterIPs") or [] if service is not None else []
    return [address for address in given if address != "None"]


def _port_refusal(port: int, taken: set[int]) -> str:
    if port not in NODE_PORTS:
        first, last = NODE_PORTS[0], NODE_PORTS[-1]
        return f"provided port is not in the valid range. The range of valid ports is {first}-{last}"
    return "provided port is already allocated" if port in taken else ""


def _invalid(field: str, shown: str) -> Manifest:
    return {"reason": "FieldValueInvalid", "message": f"Invalid value: {shown}", "field": field}
