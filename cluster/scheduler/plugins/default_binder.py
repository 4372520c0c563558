"""DefaultBinder: writes the node into the pod, through the API's subresource `binding`.

It is all that a scheduler does in the end: the kubelet of that node sees a pod of its own and starts it.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/defaultbinder/default_binder.go
"""

from cluster.engine.client import Client
from cluster.objects import Manifest
from cluster.scheduler.framework import Plugin


class DefaultBinder(Plugin):
    name = "DefaultBinder"

    def bind(self, client: Client, pod: Manifest, node: str) -> None:
        """Errors: whatever the API server answers."""
        client.bind(pod, node)
