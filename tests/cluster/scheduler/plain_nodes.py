"""Does a node suit a pod by its labels, are its taints tolerated? Asked plainly, for one node."""

from cluster.objects import Manifest, pods
from cluster.scheduler.matching import term_matches
from cluster.scheduler.snapshot import NodeInfo


def fits_affinity(pod: Manifest, node: NodeInfo) -> bool:
    if any(node.labels.get(key) != value for key, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(term_matches(term, node.labels, node.name) for term in required.get("nodeSelectorTerms") or ())


def is_tolerated(pod: Manifest, taint: Manifest) -> bool:
    return pods.tolerates(pod, taint)
