"""The default profile: which plugins are on, in the order in which they speak, with the weights of 1.37.

Adding a plugin is its file and a line here.

Mirrors:  kubernetes/pkg/scheduler/apis/config/v1/default_plugins.go
"""

from cluster.engine.informer import Informers
from cluster.scheduler.framework import Entry
from cluster.scheduler.plugins.default_preemption import DefaultPreemption
from cluster.scheduler.plugins.node_affinity import NodeAffinity
from cluster.scheduler.plugins.node_name import NodeName
from cluster.scheduler.plugins.node_ports import NodePorts
from cluster.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from cluster.scheduler.plugins.node_resources_fit import NodeResourcesFit
from cluster.scheduler.plugins.node_unschedulable import NodeUnschedulable
from cluster.scheduler.plugins.taint_toleration import TaintToleration

SCHEDULER_NAME = "default-scheduler"


def default_profile(informers: Informers) -> list[Entry]:
    """`informers`: what the plugins look up that is neither the pod nor a node."""
    return [
        Entry(NodeUnschedulable()),
        Entry(NodeName()),
        Entry(TaintToleration(), weight=3),
        Entry(NodeAffinity(), weight=2),
        Entry(NodePorts()),
        Entry(NodeResourcesFit()),
        Entry(
            DefaultPreemption(
                lambda: informers.list("PodDisruptionBudget"), lambda key: informers.by_key("Pod", key)
            )
        ),
        Entry(NodeResourcesBalancedAllocation()),
    ]
