"""Workloads: Deployments, ReplicaSets and their templates."""

from cluster.objects import Manifest, gostructs
from cluster.objects.memo import IdentityMemo

_memo = IdentityMemo(256)


def template_hash(template: Manifest, collisions: int | None = None) -> str:
    """Eight to ten characters that name a pod template: `699d5d97ff`. `collisions`: status.collisionCount, if any."""
    return str(_memo.get(template, collisions, lambda found: gostructs.hash_of_template(found, collisions)))


def replicas(workload: Manifest) -> int:
    return int(workload["spec"].get("replicas", 1))


def selector(workload: Manifest) -> Manifest:
    return workload["spec"].get("selector") or {}
