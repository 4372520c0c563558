"""PrioritySort: the more important pod is next; among equals, whoever has waited longest.

All profiles share one queue, so all have to agree on its order: this is the only plugin that sorts.

Mirrors:  kubernetes/pkg/scheduler/framework/plugins/queuesort/priority_sort.go
Read next: cluster/scheduler/queue.py
"""

from typing import Any

from cluster.scheduler.framework import Plugin


def rank(entry: dict[str, Any]) -> tuple[int, int]:
    """Of an entry of the queue: less is sooner."""
    return -entry["priority"], entry["since"]


class PrioritySort(Plugin):
    name = "PrioritySort"
    rank = staticmethod(rank)
