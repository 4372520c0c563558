"""The API server's own lease in kube-system: how the API servers of one cluster know of each other.

Mirrors:  kubernetes/pkg/controlplane/apiserver/server.go (the post-start hooks around the identity lease)
Left out: collecting the leases of API servers that are gone: there is one, and it never is.
"""

from base64 import b32encode
from hashlib import sha256

from cluster.engine.clock import SECOND
from cluster.engine.controller import Component
from cluster.objects import Manifest

RENEW, DURATION = 10 * SECOND, 3600
HOST = "control-plane"
NAME = "apiserver-" + b32encode(sha256(HOST.encode()).digest()[:16]).decode().rstrip("=").lower()


class IdentityLease(Component):
    """One queue key: `lease`."""

    name = "kube-apiserver-identity"
    user = "system:apiserver"

    def start(self) -> None:
        self.queue.add("lease")

    def process(self, key: str) -> None:
        self.queue.beat("lease", RENEW)
        lease = self.informers.get("Lease", "kube-system", NAME)
        spec = {
            "holderIdentity": f"{NAME}_{self.dice.uuid('apiserver')}",
            "leaseDurationSeconds": DURATION,
            "renewTime": self.clock.micro_stamp(),
        }
        if lease is None:
            self.client.create(self._new(spec))
        else:
            self.client.update({**lease, "spec": {**lease["spec"], **spec}})

    def _new(self, spec: Manifest) -> Manifest:
        address = str(self.options.get("apiserver_address", "10.0.0.1"))
        labels = {"apiserver.kubernetes.io/identity": "kube-apiserver", "kubernetes.io/hostname": HOST}
        metadata = {"name": NAME, "namespace": "kube-system", "labels": labels}
        metadata["annotations"] = {"kubernetes.io/peer-advertise-address": f"{address}:6443"}
        return {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata, "spec": spec}
