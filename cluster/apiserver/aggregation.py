"""Servers behind this one: is the Service that an APIService names there, and do its pods answer?

    ServiceNotFound   ServicePortError   EndpointsNotFound   MissingEndpoints   FailedDiscoveryCheck   Passed

Those are the reasons of the condition Available, in the order in which they are looked for. While it is not True, every
request for the group is answered with 503, and nobody is asked.

Mirrors:  k8s.io/kube-aggregator/pkg/controllers/status/remote/remote_available_controller.go,
          pkg/apiserver/handler_proxy.go, resolvers.go
Left out: certificates between the two servers; five attempts at once; Services of type ExternalName can't be reached.
Read next: cluster/backends.py for who is asked, and what it answers.
"""

from collections.abc import Callable
from typing import NamedTuple

from cluster.apiserver.registry import aggregated
from cluster.apiserver.server import Server
from cluster.engine.clock import SECOND
from cluster.engine.controller import Component, Surroundings
from cluster.objects import Manifest, conditions, errors, meta
from cluster.objects.services import SERVICE_NAME
from cluster.objects.shelf import Objects

AGAIN = 30 * SECOND  # Between looks at an APIService when nothing changes …
FIRST_RETRY, LAST_RETRY = SECOND, 30 * SECOND  # … and when its pods did not answer.
INDEX = "service"


class Backend(NamedTuple):
    """A pod that should answer. `address`: host and port of the pod."""

    namespace: str
    pod: str
    address: str


class Unavailable(Exception):
    """Why nobody answers: a condition's reason and message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


class ServiceUnavailable(errors.ApiError):
    """`shown`: what the answer says, as plain text; clients make their own words of the code."""

    status, reason = 503, "ServiceUnavailable"

    def __init__(self, shown: str, plural: str, group: str) -> None:
        super().__init__(f"the server is currently unable to handle the request (get {plural}.{group})")
        self.shown = shown


Dial = Callable[[Manifest, Backend], str]  # (APIService, who): why it does not answer; empty: it does.


def backends(entry: Manifest, objects: Objects) -> list[Backend]:
    """The pods behind the Service of an APIService. Errors: Unavailable."""
    service = entry["spec"]["service"]
    namespace, name, number = service["namespace"], service["name"], service.get("port", 443)
    where = f'service/{name} in "{namespace}"'
    found = objects.get("Service", namespace, name)
    if found is None:
        raise Unavailable("ServiceNotFound", f"{where} is not present")
    port = next((one for one in found["spec"].get("ports") or () if one["port"] == number), None)
    if found["spec"].get("type") == "ExternalName":
        return []
    if port is None:
        raise Unavailable("ServicePortError", f"{where} is not listening on port {number}")
    slices = [each for each in objects.list("EndpointSlice", namespace) if meta.labels(each).get(SERVICE_NAME) == name]
    if not slices:
        raise Unavailable("EndpointsNotFound", f"cannot find endpointslices for {where}")
    ready = [backend for each in slices for backend in _ready(each, port.get("name", ""))]
    if not ready:
        missing = f'have no addresses with port name "{port.get("name", "")}"'
        raise Unavailable("MissingEndpoints", f"endpointslices for {where} {missing}")
    return ready


def _ready(endpoint_slice: Manifest, port_name: str) -> list[Backend]:
    numbers = [one["port"] for one in endpoint_slice.get("ports") or () if one.get("name", "") == port_name]
    namespace = meta.namespace(endpoint_slice)
    return [
        Backend(namespace, str((endpoint.get("targetRef") or {}).get("name", "")), f"{ip}:{number}")
        for number in numbers
        for endpoint in endpoint_slice.get("endpoints") or ()
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for ip in endpoint["addresses"][:1]
    ]


def check(entry: Manifest, objects: Objects, dial: Dial) -> None:
    """Errors: Unavailable."""
    there = backends(entry, objects)
    spec = entry["spec"]
    problem = "no endpoints available"
    for backend in there:
        problem = dial(entry, backend)
        if not problem:
            return
    at = there[0].address if there else f"{spec['service']['name']}.{spec['service']['namespace']}.svc:443"
    url = f"https://{at}/apis/{spec.get('group', '')}/{spec['version']}"
    told = problem.format(url=url)
    raise Unavailable("FailedDiscoveryCheck", f"failing or missing response from {url}: {told}")


class RemoteAvailability(Component):
    """Writes the condition Available of APIServices that name a Service. Queue keys: their names."""

    name = "apiservice-status-remote-available-controller"
    user = "system:apiserver"

    def __init__(self, around: Surroundings, server: Server) -> None:
        super().__init__(around)
        self.server = server

    def watch(self) -> None:
        self.informers.add_index("APIService", INDEX, _service_of)
        self.informers.subscribe("APIService", self._changed, self.name)
        self.informers.subscribe("Service", self._service_changed, self.name)
        self.informers.subscribe("EndpointSlice", self._slice_changed, self.name)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is not None and aggregated.is_remote(new) and (old is None or old["spec"] is not new["spec"]):
            self.queue.add(meta.name(new))

    def _service_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        self._wake(meta.key(new or old or {}))

    def _slice_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        changed = new or old or {}
        self._wake(f"{meta.namespace(changed)}/{meta.labels(changed).get(SERVICE_NAME, '')}")

    def _wake(self, service: str) -> None:
        for entry in self.informers.by_index("APIService", INDEX, service):
            self.queue.add(meta.name(entry))

    def process(self, key: str) -> None:
        entry = self.informers.by_key("APIService", key)
        if entry is None or not aggregated.is_remote(entry):
            return
        try:
            check(entry, self.informers, self.server.dial)
            verdict = ("True", "Passed", "all checks passed")
            self.queue.forget(key)
            self.queue.beat(key, AGAIN)
        except Unavailable as found:
            verdict = ("False", found.reason, found.message)
            self.queue.add_rate_limited(key, FIRST_RETRY, LAST_RETRY)
        self._report(entry, *verdict)

    def _report(self, entry: Manifest, status: str, reason: str, message: str) -> None:
        before = conditions.get(entry, "Available") or {}
        if (before.get("status"), before.get("reason"), before.get("message")) == (status, reason, message):
            return
        since = before.get("lastTransitionTime") if before.get("status") == status else self.clock.stamp()
        condition = {"type": "Available", "status": status, "lastTransitionTime": since}
        known = (entry.get("status") or {}).get("conditions")
        listed = conditions.put(known, {**condition, "reason": reason, "message": message})
        self.client.update_status({**entry, "status": {**(entry.get("status") or {}), "conditions": listed}})


def _service_of(entry: Manifest) -> list[str]:
    service = entry["spec"].get("service")
    return [f"{service['namespace']}/{service['name']}"] if service else []
