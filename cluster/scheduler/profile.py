"""Profiles: which plugins are on at which extension point, in the order in which they speak, with which weight.

One scheduler can have several profiles; a pod chooses one with `spec.schedulerName`. All of them share the queue and
the picture of the nodes. Without a configuration there is one, with the plugins of `DEFAULT_PLUGINS`.

Adding a plugin is its file and a line here.

Mirrors:  kubernetes/pkg/scheduler/apis/config/v1/default_plugins.go; framework/plugins/registry.go;
          framework/runtime/framework.go (expandMultiPointPlugins)
Left out: DynamicResources, which is on by default and has nothing to do here: there are no ResourceClaims.
Read next: configuration.py for what people may change, framework.py for how a profile works.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from cluster.engine.client import Client
from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta
from cluster.scheduler.framework import Entry, Profile
from cluster.scheduler.plugins.default_binder import DefaultBinder
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
from cluster.scheduler.plugins.priority_sort import PrioritySort
from cluster.scheduler.plugins.scheduling_gates import SchedulingGates
from cluster.scheduler.plugins.taint_toleration import TaintToleration
from cluster.scheduler.plugins.volume_binding import VolumeBinding
from cluster.scheduler.plugins.volume_restrictions import VolumeRestrictions
from cluster.scheduler.plugins.volume_zone import VolumeZone

SCHEDULER_NAME = "default-scheduler"
Args = Mapping[str, Any]  # A plugin's arguments, checked and with defaults: see arguments.py.

FILTERING = ("preFilter", "filter")
SCORING = ("preScore", "score")


class Listed(NamedTuple):
    """A plugin that can be had. `points`: the extension points it takes part in; `make`: builds it."""

    points: tuple[str, ...]
    make: Callable[[Args, Informers, Callable[[], Client] | None], Any]


PLUGINS: dict[str, Listed] = {
    "SchedulingGates": Listed(("preEnqueue",), lambda args, informers, client: SchedulingGates()),
    "PrioritySort": Listed(("queueSort",), lambda args, informers, client: PrioritySort()),
    "NodeUnschedulable": Listed(("filter",), lambda args, informers, client: NodeUnschedulable()),
    "NodeName": Listed(("filter",), lambda args, informers, client: NodeName()),
    "TaintToleration": Listed(("filter", *SCORING), lambda args, informers, client: TaintToleration()),
    "NodeAffinity": Listed((*FILTERING, *SCORING), lambda args, informers, client: NodeAffinity(args)),
    "NodePorts": Listed(FILTERING, lambda args, informers, client: NodePorts()),
    "NodeResourcesFit": Listed((*FILTERING, *SCORING), lambda args, informers, client: NodeResourcesFit(args)),
    "VolumeRestrictions": Listed(FILTERING, lambda args, informers, client: VolumeRestrictions(informers)),
    "NodeVolumeLimits": Listed(FILTERING, lambda args, informers, client: NodeVolumeLimits(informers)),
    "VolumeBinding": Listed(  # Its Reserve is done by `preflight`, together with PreBind.
        (*FILTERING, "reserve", "preBind"),
        lambda args, informers, client: VolumeBinding(informers, client, args),
    ),
    "VolumeZone": Listed(FILTERING, lambda args, informers, client: VolumeZone(informers)),
    "PodTopologySpread": Listed(
        (*FILTERING, *SCORING), lambda args, informers, client: PodTopologySpread(owners_in(informers), args)
    ),
    "InterPodAffinity": Listed((*FILTERING, *SCORING), lambda args, informers, client: InterPodAffinity(args)),
    "DefaultPreemption": Listed(("postFilter",), lambda args, informers, client: preemption_in(informers, args)),
    "NodeResourcesBalancedAllocation": Listed(
        SCORING, lambda args, informers, client: NodeResourcesBalancedAllocation(args)
    ),
    "ImageLocality": Listed(("score",), lambda args, informers, client: ImageLocality()),
    "DefaultBinder": Listed(("bind",), lambda args, informers, client: DefaultBinder()),
}
DEFAULT_PLUGINS = dict.fromkeys(PLUGINS, 1) | {  # Name to weight, in their order.
    "TaintToleration": 3,
    "NodeAffinity": 2,
    "PodTopologySpread": 2,
    "InterPodAffinity": 2,
}
POINTS = (  # All extension points, in the order in which the framework sets them up.
    "preFilter", "filter", "postFilter", "reserve", "preScore", "score", "preBind", "bind", "postBind", "permit",
    "preEnqueue", "queueSort",
)  # fmt: skip


def default_profile(informers: Informers, client: Callable[[], Client] | None = None) -> Profile:
    """`informers`: what the plugins look up that is neither the pod nor a node. `client`: for those that write."""
    points = {
        point: [(name, weight) for name, weight in DEFAULT_PLUGINS.items() if point in PLUGINS[name].points]
        for point in POINTS
    }
    return build(SCHEDULER_NAME, points, {}, 0, informers, client)


def build(
    name: str,
    points: Mapping[str, list[tuple[str, int]]],
    args: Mapping[str, Args],
    percentage: int,
    informers: Informers,
    client: Callable[[], Client] | None = None,
) -> Profile:
    """A profile with plugins of its own. `points`: plugin and weight at each; `args`: by plugin."""
    wanted = {plugin: None for point in points for plugin, _ in points[point]}
    made = {plugin: PLUGINS[plugin].make(args.get(plugin, {}), informers, client) for plugin in wanted}
    return Profile(
        name,
        {point: tuple(Entry(made[plugin], weight) for plugin, weight in points[point]) for point in points},
        percentage,
    )


def scheduler_of(pod: Manifest) -> str:
    """Who is to find it a node: the name of a profile, or of somebody else's scheduler."""
    return pod["spec"].get("schedulerName") or SCHEDULER_NAME


def preemption_in(informers: Informers, args: Args) -> DefaultPreemption:
    return DefaultPreemption(
        lambda: informers.list("PodDisruptionBudget"), lambda key: informers.by_key("Pod", key), args
    )


def owners_in(informers: Informers) -> Owners:
    """Services and controllers, as the informers know them."""

    def controller(pod: Manifest) -> Manifest | None:
        owner = meta.controller_of(pod)
        if owner is None or owner["kind"] not in ("ReplicaSet", "StatefulSet", "ReplicationController"):
            return None
        found = informers.get(owner["kind"], meta.namespace(pod), owner["name"])
        return found if found is not None and meta.uid(found) == owner["uid"] else None

    return Owners(lambda namespace: informers.list("Service", namespace), controller)
