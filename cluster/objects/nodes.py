"""Nodes: taints, readiness, capacity."""

from cluster.objects import Manifest, conditions, meta

UNREACHABLE = "node.kubernetes.io/unreachable"
NOT_READY = "node.kubernetes.io/not-ready"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
UNINITIALIZED = "node.cloudprovider.kubernetes.io/uninitialized"
SHUTDOWN = "node.cloudprovider.kubernetes.io/shutdown"
ZONE = "topology.kubernetes.io/zone"
REGION = "topology.kubernetes.io/region"


def taints(node: Manifest) -> list[Manifest]:
    return node.get("spec", {}).get("taints") or []


def has_taint(node: Manifest, key: str, effect: str) -> bool:
    return any((taint["key"], taint["effect"]) == (key, effect) for taint in taints(node))


def is_ready(node: Manifest) -> bool:
    return conditions.is_true(node, "Ready")


def is_unschedulable(node: Manifest) -> bool:
    return bool(node.get("spec", {}).get("unschedulable"))


def allocatable(node: Manifest) -> dict[str, str]:
    return node.get("status", {}).get("allocatable") or {}


def zone_of(node: Manifest) -> str:
    """`region:\\x00:zone` as the node lifecycle controller groups nodes; nodes without labels share one zone."""
    found = meta.labels(node)
    return f"{found.get(REGION, '')}:{found.get(ZONE, '')}"
