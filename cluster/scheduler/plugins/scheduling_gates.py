"""SchedulingGates: a pod with gates in its spec does not even enter the queue of those that want a node.

Whoever put a gate there removes it when the time has come (a quota was granted, an image is there); with the last one
gone, the pod is a pod like any other.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/schedulinggates/scheduling_gates.go
Read next: cluster/scheduler/queue.py, where gated pods wait.
"""

from cluster.objects import Manifest
from cluster.scheduler.framework import Plugin


class SchedulingGates(Plugin):
    name = "SchedulingGates"

    def preenqueue(self, pod: Manifest) -> bool:
        """May it enter the queue?"""
        return not pod["spec"].get("schedulingGates")
