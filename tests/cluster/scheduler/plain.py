"""The scheduler without numpy, plans or memory: ask one node after the other.

The reference that the fast one is compared with. It uses only the plain half of each plugin.
"""

from typing import Any

from cluster.objects import Manifest
from cluster.scheduler.framework import SKIP, OnlyNodes, Profile, Rejection, nodes_to_find
from cluster.scheduler.snapshot import NodeInfo
from tests.cluster.scheduler import plain_pods


def schedule(
    profile: Profile, pod: Manifest, nodes: list[NodeInfo], start: int, roll: Any, owned: Manifest | None = None
) -> dict[str, Any]:
    """{node, refused: {node: Rejection}, scores: {node: total}, evaluated}. `owned`: its owner's selector."""
    looked_at, asks = nodes, []
    for entry in profile.at("filter"):
        if entry.plugin.name in VOLUMES:  # Their tests are elsewhere: these pods have no volumes.
            continue
        if not entry.plugin.local:
            look = WIDE_FILTERS[entry.plugin.name](pod, nodes)
            asks.append((entry.plugin, look))
            continue
        ask = entry.plugin.prefilter(pod, None)
        if isinstance(ask, Rejection):
            return {"node": None, "refused": {}, "scores": {}, "evaluated": 0, "denied": ask}
        if isinstance(ask, OnlyNodes):
            looked_at, ask = [node for node in nodes if node.name in ask.names], ask.ask
        if ask is not SKIP:
            asks.append((entry.plugin, ask))
    fitting, refused, evaluated = [], {}, 0
    wanted = nodes_to_find(len(looked_at), profile.percentage)
    for step in range(len(looked_at)):
        node = looked_at[step if looked_at is not nodes else (start + step) % len(nodes)]
        rejection = next((r for r in (_asked(plugin, ask, node) for plugin, ask in asks) if r is not None), None)
        if rejection is None and len(fitting) == wanted:
            break
        evaluated += 1
        if rejection is None:
            fitting.append(node)
        else:
            refused[node.name] = rejection
    found = {"node": None, "refused": refused, "scores": {}, "evaluated": evaluated, "denied": None}
    if len(fitting) == 1:
        return {**found, "node": fitting[0].name}
    if fitting:
        scores = score(profile, pod, nodes, fitting, owned)
        best = [name for name, total in scores.items() if total == max(scores.values())]
        return {**found, "scores": scores, "node": best[roll(len(best))] if len(best) > 1 else best[0]}
    return found


def _asked(plugin: Any, ask: Any, node: NodeInfo) -> Rejection | None:
    return plugin.filter(ask, node) if plugin.local else ask(node)


VOLUMES = ("VolumeRestrictions", "NodeVolumeLimits", "VolumeBinding", "VolumeZone")
WIDE_FILTERS = {"InterPodAffinity": plain_pods.affinity_filter, "PodTopologySpread": plain_pods.spread_filter}


def wide_scores(
    name: str, pod: Manifest, nodes: list[NodeInfo], fitting: list[NodeInfo], owned: Manifest | None
) -> list[int] | None:
    if name == "PodTopologySpread":
        return plain_pods.spread_scores(pod, nodes, fitting, owned)
    if name == "InterPodAffinity":
        return plain_pods.affinity_scores(pod, nodes, fitting)
    return plain_pods.image_scores(pod, nodes, fitting)


def score(
    profile: Profile, pod: Manifest, nodes: list[NodeInfo], fitting: list[NodeInfo], owned: Manifest | None
) -> dict[str, int]:
    totals = dict.fromkeys((node.name for node in fitting), 0)
    for entry in profile.at("score"):
        if not entry.plugin.local:
            wide = wide_scores(entry.plugin.name, pod, nodes, fitting, owned)
            for node, points in zip(fitting, wide or (), strict=wide is not None):
                totals[node.name] += points * entry.weight
            continue
        ask = entry.plugin.prescore(pod, None)
        if ask is SKIP:
            continue
        scores = [entry.plugin.score(ask, node) for node in fitting]
        if hasattr(entry.plugin, "normalize"):
            scores = normalized(scores, reverse=entry.plugin.name == "TaintToleration")
        for node, points in zip(fitting, scores, strict=True):
            totals[node.name] += points * entry.weight
    return totals


def normalized(scores: list[int], reverse: bool) -> list[int]:
    highest = max(scores)
    if highest == 0:
        return [100 if reverse else 0 for _ in scores]
    stretched = [points * 100 // highest for points in scores]
    return [100 - points for points in stretched] if reverse else stretched
