"""Root CA publisher: every namespace gets the certificate by which its pods recognise the API server.

Mirrors:  kubernetes/pkg/controller/certificates/rootcacertpublisher/publisher.go
"""

from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta

NAME = "kube-root-ca.crt"
DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the"
    " internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes"
    " clusters."
)


class RootCAPublisher(Controller):
    name = "root-ca-certificate-publisher-controller"
    kind = "Namespace"
    reaction = 8_000

    def watch(self) -> None:
        super().watch()
        self.informers.subscribe("ConfigMap", self._published, self.name)

    def _published(self, old: Manifest | None, new: Manifest | None) -> None:
        """Somebody changed or removed it: put it right."""
        if old is not None and meta.name(old) == NAME:
            self.queue.add(meta.namespace(old))

    def reconcile(self, namespace: Manifest) -> None:
        """Publish, or put right what was changed."""
        if meta.is_deleting(namespace):
            return
        name, data = meta.name(namespace), {"ca.crt": str(self.options.get("ca", ""))}
        found = self.informers.get("ConfigMap", name, NAME)
        if found is None:
            annotations = {"kubernetes.io/description": DESCRIPTION}
            metadata = {"name": NAME, "namespace": name, "annotations": annotations}
            self.client.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": data})
        elif found.get("data") != data:
            self.client.update({**found, "data": data})
