"""Pods that have found their node and wait until they may be bound: PreBind, the long part of the binding cycle.

The real scheduler binds in the background; a step of ours is never interrupted. So a pod whose plugins have something
to wait for (volumes, above all) is kept here: *assumed* on its node, where it takes its room already, and looked at
every second until all plugins are done. Then it is bound; or it is put back into the queue, because a plugin gave up or
ten minutes have passed.

Each waiting pod is a cell, so a rebuilt scheduler goes on waiting where this one stands:

    {"uid", "node", "since", "plans": {plugin: what it has to do}, "entry": its entry of the scheduling queue}

Mirrors:  kubernetes/pkg/scheduler/schedule_one.go (bindingCycle), backend/cache (AssumePod),
          framework/plugins/volumebinding/binder.go (BindPodVolumes)
"""

from collections.abc import Iterator
from typing import Any

from cluster.engine.cells import Section
from cluster.engine.clock import SECOND
from cluster.objects import Manifest, meta

LOOK_EVERY = SECOND
TIMED_OUT = "binding volumes: context deadline exceeded"
PREFIX = "binding/"

Waiting = dict[str, Any]


class BindingCycles:
    """The waiting pods, by key. `memory`: the scheduler's cells."""

    def __init__(self, memory: Section) -> None:
        self._memory = memory
        self._pods: dict[str, Waiting] = {
            name[len(PREFIX) :]: cell for name, cell in memory.items() if name.startswith(PREFIX)
        }

    def __contains__(self, key: str) -> bool:
        return key in self._pods

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._pods))

    def __len__(self) -> int:
        return len(self._pods)

    def get(self, key: str) -> Waiting | None:
        return self._pods.get(key)

    def add(self, pod: Manifest, node: str, now: int, plans: dict[str, Any], entry: dict[str, Any]) -> None:
        waiting = {"uid": meta.uid(pod), "node": node, "since": now, "plans": plans, "entry": entry}
        self._pods[meta.key(pod)] = self._memory[PREFIX + meta.key(pod)] = waiting

    def remove(self, key: str) -> Waiting | None:
        """The pod is bound, gone, or back in the queue."""
        self._memory.pop(PREFIX + key)
        return self._pods.pop(key, None)


def assumed(pod: Manifest, node: str) -> Manifest:
    """The pod as it will be when it is bound."""
    return {**pod, "spec": {**pod["spec"], "nodeName": node}}
