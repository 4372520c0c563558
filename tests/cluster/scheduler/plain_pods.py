"""Pod affinity, topology spread and image locality, told by counting pods one by one: no columns, no memory.

The reference for the three plugins that look beyond one node. `nodes`: all of them, with the pods on them.
"""

import math
from collections.abc import Callable

from cluster.objects import Manifest, labels, meta
from cluster.scheduler.framework import Rejection
from cluster.scheduler.snapshot import NodeInfo
from tests.cluster.scheduler.plain_nodes import fits_affinity, is_tolerated

Filter = Callable[[NodeInfo], Rejection | None]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
NAMESPACES = {"default": {"team": "a"}, "other": {"team": "b"}}


# --- who is meant ------------------------------------------------------------------------------------------------


def meant(term: Manifest, owner: Manifest, pod: Manifest) -> bool:
    """Does the affinity term of `owner` mean `pod`?"""
    named, selector = term.get("namespaces") or [], term.get("namespaceSelector")
    there = meta.namespace(pod) in (named or ([] if selector is not None else [meta.namespace(owner)]))
    there = there or (selector is not None and chosen(selector, NAMESPACES[meta.namespace(pod)]))
    return there and selects(term, owner, pod)


def chosen(selector: Manifest, found: dict[str, str]) -> bool:
    return not selector or labels.matches(selector, found)


def selects(term: Manifest, owner: Manifest, pod: Manifest) -> bool:
    selector, own, found = term.get("labelSelector"), meta.labels(owner), meta.labels(pod)
    if selector is None or not chosen(selector, found):
        return False
    if any(found.get(key) != own[key] for key in term.get("matchLabelKeys") or () if key in own):
        return False
    return all(found.get(key) != own[key] for key in term.get("mismatchLabelKeys") or () if key in own)


def said(pod: Manifest, side: str, how: str) -> list[Manifest]:
    return ((pod["spec"].get("affinity") or {}).get(side) or {}).get(how) or []


# --- InterPodAffinity --------------------------------------------------------------------------------------------


def affinity_filter(pod: Manifest, nodes: list[NodeInfo]) -> Filter:
    near, far = said(pod, "podAffinity", REQUIRED), said(pod, "podAntiAffinity", REQUIRED)
    there = [(info.pod, node) for node in nodes for info in node.pods.values()]
    friends = [node for other, node in there if near and all(meant(term, pod, other) for term in near)]
    somebody = any(term["topologyKey"] in node.labels for node in friends for term in near)

    def same(key: str, one: NodeInfo, other: NodeInfo) -> bool:
        return key in one.labels and one.labels[key] == other.labels.get(key)

    def look(node: NodeInfo) -> Rejection | None:
        if any(term["topologyKey"] not in node.labels for term in near):
            return Rejection("InterPodAffinity", ("node(s) didn't match pod affinity rules",))
        if not all(any(same(term["topologyKey"], friend, node) for friend in friends) for term in near):
            first = not somebody and all(meant(term, pod, pod) for term in near)
            if not first:
                return Rejection("InterPodAffinity", ("node(s) didn't match pod affinity rules",))
        unwanted = [(term["topologyKey"], where) for term in far for other, where in there if meant(term, pod, other)]
        if any(same(key, where, node) for key, where in unwanted):
            return Rejection("InterPodAffinity", ("node(s) didn't match pod anti-affinity rules",), True)
        for other, where in there:
            for term in said(other, "podAntiAffinity", REQUIRED):
                if meant(term, other, pod) and same(term["topologyKey"], where, node):
                    message = "node(s) didn't satisfy existing pods anti-affinity rules"
                    return Rejection("InterPodAffinity", (message,), True)
        return None

    return look


def affinity_scores(pod: Manifest, nodes: list[NodeInfo], fitting: list[NodeInfo]) -> list[int] | None:
    points: dict[tuple[str, str], int] = {}

    def add(term: Manifest, node: NodeInfo, weight: int) -> None:
        key = term["topologyKey"]
        if key in node.labels:
            points[key, node.labels[key]] = points.get((key, node.labels[key]), 0) + weight

    for node in nodes:
        for info in node.pods.values():
            for side, sign in (("podAffinity", 1), ("podAntiAffinity", -1)):
                for each in said(pod, side, PREFERRED):
                    if meant(each["podAffinityTerm"], pod, info.pod):
                        add(each["podAffinityTerm"], node, sign * each["weight"])
                for each in said(info.pod, side, PREFERRED):
                    if meant(each["podAffinityTerm"], info.pod, pod):
                        add(each["podAffinityTerm"], node, sign * each["weight"])
            for term in said(info.pod, "podAffinity", REQUIRED):
                if meant(term, info.pod, pod):
                    add(term, node, 1)
    if not any(points.values()):
        return None
    raw = [sum(value for (key, place), value in points.items() if node.labels.get(key) == place) for node in fitting]
    lowest, highest = min(raw), max(raw)
    return [int(100 * ((score - lowest) / (highest - lowest))) if highest != lowest else 0 for score in raw]


# --- PodTopologySpread -------------------------------------------------------------------------------------------


def spread_filter(pod: Manifest, nodes: list[NodeInfo]) -> Filter:
    hard = [c for c in pod["spec"].get("topologySpreadConstraints") or () if c["whenUnsatisfiable"] == "DoNotSchedule"]
    counts = []
    for constraint in hard:
        found: dict[str, int] = {}
        for node in nodes:
            if all(c["topologyKey"] in node.labels for c in hard) and includes(constraint, pod, node):
                value = node.labels[constraint["topologyKey"]]
                found[value] = found.get(value, 0) + matching(constraint, pod, node)
        counts.append(found)

    def look(node: NodeInfo) -> Rejection | None:
        for constraint, found in zip(hard, counts, strict=True):
            value = node.labels.get(constraint["topologyKey"])
            if value is None:
                message = "node(s) didn't match pod topology spread constraints (missing required label)"
                return Rejection("PodTopologySpread", (message,))
            least = 0 if len(found) < (constraint.get("minDomains") or 1) else min(found.values())
            if found.get(value, 0) + selects(constraint, pod, pod) - least > constraint["maxSkew"]:
                return Rejection("PodTopologySpread", ("node(s) didn't match pod topology spread constraints",), True)
        return None

    return look


def includes(constraint: Manifest, pod: Manifest, node: NodeInfo) -> bool:
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not fits_affinity(pod, node):
        return False
    honours = constraint.get("nodeTaintsPolicy", "Ignore") == "Honor"
    forbidding = [taint for taint in node.taints if taint["effect"] != "PreferNoSchedule"]
    return not honours or all(is_tolerated(pod, taint) for taint in forbidding)


def matching(constraint: Manifest, pod: Manifest, node: NodeInfo) -> int:
    """Living pods on the node that count."""
    return sum(
        meta.namespace(info.pod) == meta.namespace(pod)
        and not meta.is_deleting(info.pod)
        and selects(constraint, pod, info.pod)
        for info in node.pods.values()
    )


def spread_scores(
    pod: Manifest, nodes: list[NodeInfo], fitting: list[NodeInfo], owned: Manifest | None
) -> list[int] | None:
    own = pod["spec"].get("topologySpreadConstraints")
    soft = [c for c in own or () if c["whenUnsatisfiable"] == "ScheduleAnyway"]
    if not own and owned is not None:
        keys = (("kubernetes.io/hostname", 3), ("topology.kubernetes.io/zone", 5))
        soft = [{"topologyKey": key, "maxSkew": skew, "labelSelector": owned} for key, skew in keys]
    if not soft:
        return None
    whole = [node for node in nodes if not own or all(c["topologyKey"] in node.labels for c in soft)]
    counted = [node for node in fitting if node in whole]
    raw: dict[str, int] = {}
    for node in counted:
        score = 0.0
        for constraint in soft:
            key = constraint["topologyKey"]
            if key not in node.labels:
                continue
            if key == "kubernetes.io/hostname":
                number, size = matching(constraint, pod, node), len(counted)
            else:
                places = {other.labels.get(key) for other in counted}
                size = len(places)
                number = sum(
                    matching(constraint, pod, other)
                    for other in whole
                    if other.labels.get(key) == node.labels[key] and includes(constraint, pod, other)
                )
            score += number * math.log(size + 2) + constraint["maxSkew"] - 1
        raw[node.name] = math.floor(score + 0.5)
    if not raw:
        return [0] * len(fitting)
    lowest, highest = min(raw.values()), max(raw.values())
    stretched = {name: 100 * (highest + lowest - score) // highest if highest else 100 for name, score in raw.items()}
    return [stretched.get(node.name, 0) for node in fitting]


# --- ImageLocality -----------------------------------------------------------------------------------------------


def image_scores(pod: Manifest, nodes: list[NodeInfo], fitting: list[NodeInfo]) -> list[int] | None:
    images = [c.get("image", "") for c in (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])]
    images = [image if ":" in image else f"{image}:latest" for image in images]
    scores = []
    for node in fitting:
        total = 0
        for image in images:
            if image in node.images:
                total += int(node.images[image] * (sum(image in other.images for other in nodes) / len(nodes)))
        least, most = 23 * 1024 * 1024, 1_000 * 1024 * 1024 * len(images)
        scores.append(100 * (min(max(total, least), most) - least) // (most - least))
    return scores
