"""The two priorities that only the system's own pods may have.

Mirrors:  kubernetes/pkg/registry/scheduling/rest
"""

from cluster.objects import Manifest

CRITICAL = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
DESCRIPTIONS = {
    "system-node-critical": "Used for system critical pods that must not be moved from their current node.",
    "system-cluster-critical": (
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary."
    ),
}


def objects() -> list[Manifest]:
    return [
        {
            "kind": "PriorityClass",
            "apiVersion": "scheduling.k8s.io/v1",
            "metadata": {"name": name},
            "value": value,
            "description": DESCRIPTIONS[name],
            "preemptionPolicy": "PreemptLowerPriority",
        }
        for name, value in CRITICAL.items()
    ]
