"""The default profile: which plugins are on, in the order in which they speak, with the weights of 1.37.

Adding a plugin is its file and a line here.

Mirrors:  kubernetes/pkg/scheduler/apis/config/v1/default_plugins.go
"""

from collections.abc import Callable

from cluster.engine.client import Client
from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta
from cluster.scheduler.framework import Entry
from cluster.scheduler.plugins.default_preemption import DefaultPreemption
from cluster.scheduler.plugins.image_locality import ImageLocality
from cluster.scheduler.plugins.inter_pod_affinity import InterPodAffinity
from cluster.scheduler.plugins.node_affinity import NodeAffinity
from cluster.scheduler.plugins.node_name import NodeName
from cluster.scheduler.plugins.node_ports import NodePorts
from cluster.scheduler.plugins.node_resources_balanced_allocation import NodeResourcesBalancedAllocation
from cluster.scheduler.plugins.node_resources_fit import NodeResourcesFit
from cluster.scheduler.plugins.node_unschedulable import NodeUnschedulable
from cluster.scheduler.plugins.node_volume_limits import NodeVolumeLimits
from cluster.scheduler.plugins.pod_topology_spread import Owners, PodTopologySpread
from cluster.scheduler.plugins.taint_toleration import TaintToleration
from cluster.scheduler.plugins.volume_binding import VolumeBinding
from cluster.scheduler.plugins.volume_restrictions import VolumeRestrictions
from cluster.scheduler.plugins.volume_zone import VolumeZone

SCHEDULER_NAME = "default-scheduler"


def default_profile(informers: Informers, client: Callable[[], Client] | None = None) -> list[Entry]:
    """`informers`: what the plugins look up that is neither the pod nor a node. `client`: for those that write."""
    return [
        Entry(NodeUnschedulable()),
        Entry(NodeName()),
        Entry(TaintToleration(), weight=3),
        Entry(NodeAffinity(), weight=2),
        Entry(NodePorts()),
        Entry(NodeResourcesFit()),
        Entry(VolumeRestrictions(informers)),
        Entry(NodeVolumeLimits(informers)),
        Entry(VolumeBinding(informers, client)),
        Entry(VolumeZone(informers)),
        Entry(PodTopologySpread(owners_in(informers)), weight=2),
        Entry(InterPodAffinity(), weight=2),
        Entry(
            DefaultPreemption(
                lambda: informers.list("PodDisruptionBudget"), lambda key: informers.by_key("Pod", key)
            )
        ),
        Entry(NodeResourcesBalancedAllocation()),
        Entry(ImageLocality()),
    ]


def owners_in(informers: Informers) -> Owners:
    """Services and controllers, as the informers know them."""

    def controller(pod: Manifest) -> Manifest | None:
        owner = meta.controller_of(pod)
        if owner is None or owner["kind"] not in ("ReplicaSet", "StatefulSet", "ReplicationController"):
            return None
        found = informers.get(owner["kind"], meta.namespace(pod), owner["name"])
        return found if found is not None and meta.uid(found) == owner["uid"] else None

    return Owners(lambda namespace: informers.list("Service", namespace), controller)
