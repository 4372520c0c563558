"""Service controller: a Service of type LoadBalancer gets a balancer in the cloud, and its address.

    Service ──▶ EnsuringLoadBalancer ─ finalizer ─ the cloud is asked ─▶ EnsuredLoadBalancer ─ status.loadBalancer
    nodes come, go, are excluded ──▶ UpdatedLoadBalancer
    Service deleted, of another type ──▶ DeletingLoadBalancer ─ the cloud is asked ─ finalizer off ─ DeletedLoadBalancer

The finalizer keeps the Service until its balancer is gone: else a balancer that costs money would be left behind.
Whether nodes are Ready is no business of this controller: a balancer asks its machines itself.

Mirrors:  k8s.io/cloud-provider/controllers/service/controller.go
Left out: providers that have their balancers made elsewhere.
Read next: balancers.py, what the cloud does; health.py, which machines get traffic.
"""

from typing import Any

from cluster.engine.calls import Caller
from cluster.engine.clock import SECOND
from cluster.engine.provider import Call
from cluster.objects import Manifest, meta, nodes
from cluster.objects.errors import NotFound

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"
FIRST_RETRY, LAST_RETRY = 5 * SECOND, 300 * SECOND
PROXY_HEALTH = {"port": 10256, "path": "/healthz"}
NAMES_SHOWN = 20


class ServiceController(Caller):
    """Queue keys: `service/<ns>/<name>`, `hosts/<ns>/<name>` (other nodes behind it).

    Memory: `known/<ns>/<name>` {uid, hosts}: which balancers were ever asked for, with which nodes [name, providerID].
    """

    name = "service-lb-controller"
    source = "service-controller"
    user = "system:cloud-controller-manager"

    def watch(self) -> None:
        self.informers.subscribe("Service", self._service_changed, self.name)
        self.informers.subscribe("Node", self._node_changed, self.name)

    def start(self) -> None:
        for service in self.informers.list("Service"):
            self._service_changed(None, service)

    def retry(self, item: str) -> None:
        self.queue.add_rate_limited(item, FIRST_RETRY, LAST_RETRY)

    # --- what wakes it ------------------------------------------------------------------------------------------

    def _service_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        key = meta.key(new or old or {})
        if new is None:
            if f"known/{key}" in self.memory:
                self.queue.add(f"service/{key}")
        elif needs_cleanup(new) or (old is None and wants_balancer(new)):
            self.queue.add(f"service/{key}")
        if old is None or new is None or not (wants_balancer(old) or wants_balancer(new)) or not _differs(old, new):
            return
        self.queue.add(f"service/{key}")
        notes = _notes(old, new)
        if notes:
            self.memory[f"notes/{key}"] = [*self.memory.get(f"notes/{key}", []), *notes]

    def _node_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if old is not None and new is not None and _place(old) == _place(new):
            return
        for service in self.informers.list("Service"):
            if service["spec"].get("type") == "LoadBalancer" and f"known/{meta.key(service)}" in self.memory:
                self.queue.add(f"hosts/{meta.key(service)}")

    # --- one item -----------------------------------------------------------------------------------------------

    def look(self, item: str) -> None:
        kind, _, key = item.partition("/")
        service, known = self.informers.by_key("Service", key), self.memory.get(f"known/{key}")
        if kind == "hosts":
            if service is not None and known is not None:
                self._look_at_hosts(item, service, known)
        elif known is not None and (service is None or meta.uid(service) != known["uid"]):
            subject = _subject(key, known["uid"])
            self.recorder.event(subject, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
            self.ask(item, "EnsureLoadBalancerDeleted", {"name": balancer_name(known["uid"]), "uid": known["uid"]})
        elif service is None:
            self.memory.pop(f"notes/{key}")
        else:
            self._say_notes(service)
            if not wants_balancer(service) or needs_cleanup(service):
                self.ask(item, "GetLoadBalancer", _asked_about(service))
            else:
                self._ensure(item, service)

    def answered(self, item: str, call: Call, result: Any) -> None:
        _, _, key = item.partition("/")
        service = self.informers.by_key("Service", key)
        uid = call.arguments["uid"]
        if call.operation == "EnsureLoadBalancer":
            if service is not None and meta.uid(service) == uid:
                self._ensured(service, result)
        elif call.operation == "UpdateLoadBalancer":
            if service is not None:
                self._updated(service, call.arguments["backends"])
        elif call.operation == "GetLoadBalancer" and result is not None:
            if service is not None:
                self.recorder.event(service, "Normal", "DeletingLoadBalancer", "Deleting load balancer")
            self.ask(item, "EnsureLoadBalancerDeleted", call.arguments)
        else:
            self._deleted(item, service, uid)

    def refused(self, item: str, call: Call, why: str) -> None:
        _, _, key = item.partition("/")
        uid = call.arguments["uid"]
        service = self.informers.by_key("Service", key)
        subject = service if service is not None and meta.uid(service) == uid else _subject(key, uid)
        if call.operation == "UpdateLoadBalancer":
            self._not_updated(subject, key, call.arguments["backends"], why)
            return
        if service is None or meta.uid(service) != uid:
            self.recorder.event(subject, "Warning", "DeleteLoadBalancerFailed", f"Error deleting load balancer: {why}")
        else:
            problem = f"Error syncing load balancer: {FAILED[call.operation]}: {why}"
            self.recorder.event(subject, "Warning", "SyncLoadBalancerFailed", problem)
        self.retry(item)

    def _say_notes(self, service: Manifest) -> None:
        """Say what was changed of it."""
        for reason, message in self.memory.pop(f"notes/{meta.key(service)}") or ():
            self.recorder.event(service, "Normal", reason, message)

    # --- a balancer is wanted -----------------------------------------------------------------------------------

    def _ensure(self, item: str, service: Manifest) -> None:
        self.recorder.event(service, "Normal", "EnsuringLoadBalancer", "Ensuring load balancer")
        finalizers = service["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            self._patch_metadata(service, [*finalizers, FINALIZER])
        hosts = self._hosts()
        if not hosts:
            self._say_empty(service)
        self.memory[f"known/{meta.key(service)}"] = {"uid": meta.uid(service), "hosts": hosts}
        self.ask(
            item, "EnsureLoadBalancer", {**_asked_about(service), **_shape(service), "backends": _reachable(hosts)}
        )

    def _ensured(self, service: Manifest, balancer: Manifest) -> None:
        self.recorder.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")
        self._patch_status(service, [{"ip": balancer["ip"]}])

    def _patch_metadata(self, service: Manifest, finalizers: list[str]) -> None:
        patch = {"metadata": {"finalizers": finalizers or None}}
        self.client.patch("Service", meta.namespace(service), meta.name(service), patch, "status")

    def _patch_status(self, service: Manifest, ingress: list[Manifest]) -> None:
        before = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        if [point.get("ip") for point in before] == [point["ip"] for point in ingress]:
            return
        patch = {"status": {"loadBalancer": {"ingress": ingress or None}}}
        try:
            self.client.patch("Service", meta.namespace(service), meta.name(service), patch, "status")
        except NotFound:
            return

    # --- none is wanted -----------------------------------------------------------------------------------------

    def _deleted(self, item: str, service: Manifest | None, uid: str) -> None:
        """The cloud has no balancer for it, now or already."""
        _, _, key = item.partition("/")
        if service is None or meta.uid(service) != uid:
            self.recorder.event(_subject(key, uid), "Normal", "DeletedLoadBalancer", "Deleted load balancer")
            self.memory.pop(f"known/{key}")
            if service is not None:
                self.look(item)
            return
        finalizers = service["metadata"].get("finalizers") or []
        self.memory.pop(f"known/{key}")
        if FINALIZER in finalizers:
            self._patch_metadata(service, [name for name in finalizers if name != FINALIZER])
        self.recorder.event(service, "Normal", "DeletedLoadBalancer", "Deleted load balancer")
        left = self.informers.by_key("Service", key)
        if left is not None and meta.uid(left) == uid:
            self._patch_status(left, [])

    # --- other nodes behind it ----------------------------------------------------------------------------------

    def _hosts(self) -> list[list[str]]:
        """[name, providerID] of every node that may stand behind a balancer, by name."""
        return sorted(standing[:2] for node in self.informers.list("Node") if (standing := _standing(node))[2])

    def _look_at_hosts(self, item: str, service: Manifest, known: Manifest) -> None:
        hosts = self._hosts()
        if hosts == known["hosts"] or not wants_balancer(service) or needs_cleanup(service):
            return
        self.memory[f"known/{meta.key(service)}"] = {**known, "hosts": hosts}
        self.ask(item, "UpdateLoadBalancer", {**_asked_about(service), "backends": _reachable(hosts)})

    def _updated(self, service: Manifest, backends: list[str]) -> None:
        if not backends:
            self._say_empty(service)
            return
        self.recorder.event(service, "Normal", "UpdatedLoadBalancer", "Updated load balancer with new hosts")

    def _not_updated(self, subject: Manifest, key: str, backends: list[str], why: str) -> None:
        if why.startswith("NotFound"):  # Then there is nothing to update.
            return
        names = f"[{' '.join(backends[:NAMES_SHOWN])}] [node names limited, total number of nodes: {len(backends)}]"
        problem = f"Error updating load balancer with new hosts {names}: {why}"
        self.recorder.event(subject, "Warning", "UpdateLoadBalancerFailed", problem)
        self.retry(f"service/{key}")

    def _say_empty(self, service: Manifest) -> None:
        message = "There are no available nodes for LoadBalancer"
        self.recorder.event(service, "Warning", "UnAvailableLoadBalancer", message)


FAILED = {
    "EnsureLoadBalancer": "failed to ensure load balancer",
    "GetLoadBalancer": "failed to check if load balancer exists before cleanup",
    "EnsureLoadBalancerDeleted": "failed to delete load balancer",
}


def wants_balancer(service: Manifest) -> bool:
    """Of type LoadBalancer, and not of a class that somebody else cares for."""
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")


def needs_cleanup(service: Manifest) -> bool:
    """It has our finalizer, and is being deleted or of another type."""
    if FINALIZER not in (service["metadata"].get("finalizers") or ()):
        return False
    return meta.is_deleting(service) or service["spec"].get("type") != "LoadBalancer"


def balancer_name(uid: str) -> str:
    """DefaultLoadBalancerName: it begins with a letter, and is no longer than the shortest limit of any cloud.

    >>> balancer_name("0a8f53bc-07c1-4e2c-9d6a-0a8f53bc07c1")
    'a0a8f53bc07c14e2c9d6a0a8f53bc07c'
    """
    return ("a" + uid.replace("-", ""))[:32]


def _asked_about(service: Manifest) -> Manifest:
    uid = meta.uid(service)
    return {"name": balancer_name(uid), "service": meta.key(service), "uid": uid}


def _shape(service: Manifest) -> Manifest:
    spec = service["spec"]
    ports = ("name", "port", "protocol", "nodePort")
    local = spec.get("externalTrafficPolicy") == "Local"
    return {
        "listeners": [{key: port[key] for key in ports if key in port} for port in spec.get("ports") or ()],
        "sourceRanges": spec.get("loadBalancerSourceRanges") or [],
        "ip": spec.get("loadBalancerIP", ""),
        "check": {"port": spec.get("healthCheckNodePort", 0), "path": "/healthz"} if local else PROXY_HEALTH,
    }


def _reachable(hosts: list[list[str]]) -> list[str]:
    """Those that the cloud knows."""
    return [name for name, provider_id in hosts if provider_id]


def _place(node: Manifest) -> Any:
    """What of a node is news for balancers; that it is about to leave is not, so that its connections may end."""
    return node["spec"].get("providerID"), EXCLUDED in meta.labels(node)


def _standing(node: Manifest) -> Any:
    """(name, providerID, may it stand behind a balancer?)"""
    excluded = EXCLUDED in meta.labels(node) or meta.is_deleting(node)
    leaving = any(taint["key"] == TO_BE_DELETED for taint in nodes.taints(node))
    return [meta.name(node), node["spec"].get("providerID", ""), not excluded and not leaving]


COMPARED = (
    "type", "loadBalancerClass", "loadBalancerSourceRanges", "sessionAffinity", "sessionAffinityConfig",
    "loadBalancerIP", "externalIPs", "externalTrafficPolicy", "healthCheckNodePort", "ipFamilies",
)  # fmt: skip


NOTED = {
    "type": "Type",
    "loadBalancerSourceRanges": "LoadBalancerSourceRanges",
    "loadBalancerIP": "LoadbalancerIP",
    "externalTrafficPolicy": "ExternalTrafficPolicy",
    "healthCheckNodePort": "HealthCheckNodePort",
}


def _differs(old: Manifest, new: Manifest) -> bool:
    """Has anything of the Service changed that its balancer has to follow?"""
    before, after = old["spec"], new["spec"]
    if before is after and meta.annotations(old) is meta.annotations(new):
        return False
    return (
        any(before.get(name) != after.get(name) for name in COMPARED)
        or _shape(old)["listeners"] != _shape(new)["listeners"]
        or meta.annotations(old) != meta.annotations(new)
    )


def _notes(old: Manifest, new: Manifest) -> list[list[str]]:
    """[reason, message] of each change that is said out loud."""
    before, after = old["spec"], new["spec"]
    notes = [
        [reason, f"{_shown(before.get(name))} -> {_shown(after.get(name))}"]
        for name, reason in NOTED.items()
        if before.get(name) != after.get(name)
    ]
    had, has = before.get("externalIPs") or [], after.get("externalIPs") or []
    if len(had) != len(has):
        return [*notes, ["ExternalIP", f"Count: {len(had)} -> {len(has)}"]]
    return [
        *notes,
        *(["ExternalIP", f"Added: {address}"] for was, address in zip(had, has, strict=True) if was != address),
    ]


def _shown(value: Any) -> str:
    """As Go prints it."""
    if isinstance(value, list):
        return f"[{' '.join(map(str, value))}]"
    return "" if value is None else str(value)


def _subject(key: str, uid: str) -> Manifest:
    """A Service that is no longer there, to say something about."""
    namespace, name = meta.split_key(key)
    return {"kind": "Service", "apiVersion": "v1", "metadata": {"namespace": namespace, "name": name, "uid": uid}}
