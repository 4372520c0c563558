"""Replication controller: what there was before ReplicaSets, and works like them.

A ReplicationController's selector is a plain map of labels; everything else is the ReplicaSet's logic.

Mirrors:  kubernetes/pkg/controller/replication (conversion.go, replication_controller.go)
Read next: replicaset.py.
"""

from cluster.controllers.replicaset import ReplicaSetController
from cluster.objects import Manifest


class ReplicationControllerController(ReplicaSetController):
    name = "replication-controller"
    kind = "ReplicationController"
    tells_of_terminating = False  # Its status has no such field.

    def selector(self, owner: Manifest) -> Manifest:
        return {"matchLabels": owner["spec"].get("selector") or {}}
