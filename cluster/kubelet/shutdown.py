"""Graceful node shutdown: when somebody shuts a machine down, its pods are ended before the power goes.

systemd says that it is about to, and waits for as long as the kubelet holds its inhibitor lock. The kubelet reports the
node as not ready, takes no more pods in, and ends those that it has, the least important first:

    priority below 2000000000    20 s    shutdownGracePeriod (30 s) less what critical pods get
    system-cluster-critical up   10 s    shutdownGracePeriodCriticalPods

A pod gets its own grace period, but no more than its group's. When all of a group have ended, or its time is over, it
is the next group's turn, and after the last one the machine goes down. The pods have failed and stay as objects:
whoever owns them makes others.

Both periods are 0 in a kubelet that nobody configured, which then just dies; kubelets here are configured.

Mirrors:  kubernetes/pkg/kubelet/nodeshutdown/nodeshutdown_manager.go, nodeshutdown_manager_linux.go
Left out: shutdownGracePeriodByPodPriority with other groups; a shutdown that is cancelled; what systemd does after the
          lock was released takes no time; a pod that is being deleted already ends in its own time.
Read next: kubelet.py (shut_down); pod_worker.py (_expel).
"""

from typing import NamedTuple

from cluster.engine.clock import SECOND
from cluster.kubelet import eviction
from cluster.objects import Manifest

REASON, MESSAGE = "Terminated", "Pod was terminated in response to imminent node shutdown."
REFUSED, REFUSAL = "NodeShutdown", "Pod was rejected as the node is shutting down."
NOT_READY = "node is shutting down"
EVENT, DETECTED = "Shutdown", "Shutdown manager detected shutdown event"


class Group(NamedTuple):
    """Pods of that priority and above have so many microseconds."""

    priority: int
    period: int


GROUPS = (Group(0, 20 * SECOND), Group(eviction.SYSTEM_CRITICAL, 10 * SECOND))


def group_of(pod: Manifest) -> int:
    """Its place among the groups; who ranks below all of them belongs to the first."""
    priority = int(pod["spec"].get("priority") or 0)
    return max((n for n, group in enumerate(GROUPS) if group.priority <= priority), default=0)


def verdict() -> list[str]:
    """Why such a pod has failed: see Plan.expelled."""
    return [REASON, MESSAGE, eviction.DISRUPTED]


def grace_of(pod: Manifest, group: Group) -> int:
    """Microseconds between SIGTERM and SIGKILL."""
    return min(int(pod["spec"].get("terminationGracePeriodSeconds", 30)) * SECOND, group.period)
