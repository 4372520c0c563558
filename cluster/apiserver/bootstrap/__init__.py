"""What a new API server writes by itself: namespaces, priority classes, roles, the Service `kubernetes` and more.

    classes.py  services.py  flows.py  apiservices.py   the objects, and who looks after them later
    identity.py                                         the API server's own lease

Mirrors:  kubernetes/pkg/controlplane (instance.go, controller/{kubernetesservice, systemnamespaces,
          clusterauthenticationtrust, legacytokentracking, defaultservicecidr})
"""

from cluster.apiserver.authorization import defaults
from cluster.apiserver.bootstrap import apiservices, classes, flows, services
from cluster.apiserver.bootstrap.apiservices import APIServices
from cluster.apiserver.bootstrap.flows import FlowControl
from cluster.apiserver.bootstrap.identity import IdentityLease
from cluster.apiserver.server import Server
from cluster.engine.controller import Component, Surroundings
from cluster.objects import Manifest, errors

__all__ = ["APIServices", "Bootstrap", "FlowControl", "IdentityLease"]

NAMESPACES = ("kube-system", "kube-public", "kube-node-lease", "default")


class Bootstrap(Component):
    """Runs once, when the cluster is new."""

    name = "kube-apiserver"
    user = "system:apiserver"
    reaction = 0

    def __init__(self, around: Surroundings, server: Server) -> None:
        super().__init__(around)
        self.server = server

    def start(self) -> None:
        self.queue.add("objects")

    def process(self, key: str) -> None:
        for obj in self._objects():
            self._create(obj)
        service_range = self._create(services.service_range(str(self.server.allocators.network)))
        if service_range is not None:
            self.client.update_status({**service_range, "status": services.ready_since(self.clock.stamp())})

    def _create(self, obj: Manifest) -> Manifest | None:
        """The new object; None if there is one of that name."""
        try:
            return self.client.create(obj)
        except errors.AlreadyExists:
            return None

    def _objects(self) -> list[Manifest]:
        address, host = self.server.allocators.network[1], self.options.get("apiserver_address", "10.0.0.1")
        return [
            *({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": name}} for name in NAMESPACES),
            *classes.objects(),
            *defaults.policy(),
            *services.objects(str(address), str(host)),
            *flows.objects(),
            *apiservices.objects(),
            *self._about_itself(),
        ]

    def _about_itself(self) -> list[Manifest]:
        """What API servers behind this one must know, and since when tokens in Secrets are tracked."""
        trust = {"client-ca-file": str(self.options.get("ca_certificate", ""))}
        since = {"since": self.clock.stamp()[:10]}
        names = {
            "extension-apiserver-authentication": trust,
            "kube-apiserver-legacy-service-account-token-tracking": since,
        }
        head = {"kind": "ConfigMap", "apiVersion": "v1"}
        return [
            {**head, "metadata": {"name": name, "namespace": "kube-system"}, "data": data}
            for name, data in names.items()
        ]
