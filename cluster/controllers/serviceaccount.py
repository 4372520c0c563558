"""ServiceAccount controller: every namespace has a service account `default`, and has it back at once.

Mirrors:  kubernetes/pkg/controller/serviceaccount/serviceaccounts_controller.go
"""

from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta
from cluster.objects.errors import AlreadyExists

NAME = "default"


class ServiceAccountController(Controller):
    name = "service-account-controller"
    kind = "Namespace"
    reaction = 5_000

    def watch(self) -> None:
        super().watch()
        self.informers.subscribe("ServiceAccount", self._account_changed, self.name)

    def _account_changed(self, old: Manifest | None, new: Manifest | None) -> None:
        if new is None and old is not None and meta.name(old) == NAME:
            self.queue.add(meta.namespace(old))

    def reconcile(self, namespace: Manifest) -> None:
        """Create the account if the namespace is to stay and has none."""
        name = meta.name(namespace)
        if meta.is_deleting(namespace) or self.informers.get("ServiceAccount", name, NAME) is not None:
            return
        account = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": NAME, "namespace": name}}
        try:
            self.client.create(account)
        except AlreadyExists:
            return
