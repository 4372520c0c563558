"""TTL controller: tells kubelets, by an annotation, how long they may trust a Secret or ConfigMap that they have read.

In a small cluster every kubelet may ask as often as it likes; in a large one that would be the API server's end. So the
time grows with the number of nodes. The steps overlap: a cluster that shrinks by one node does not go back at once.

    nodes      up to 100   500   1,000   2,000   more
    seconds            0    15      30      60    300

Mirrors:  kubernetes/pkg/controller/ttl/ttl_controller.go
Read next: nodeipam.py, the other controller that writes on every node.
"""

from typing import NamedTuple

from cluster.engine.controller import Controller
from cluster.objects import Manifest, meta

ANNOTATION = "node.alpha.kubernetes.io/ttl"


class Step(NamedTuple):
    """Clusters of `least` to `most` nodes have `seconds`."""

    least: int
    most: int
    seconds: int


STEPS = (Step(0, 100, 0), Step(90, 500, 15), Step(450, 1_000, 30), Step(900, 2_000, 60), Step(1_800, 1 << 30, 300))


class TtlController(Controller):
    """Queue keys: node names. Memory: `step`, which row of STEPS holds."""

    name = "ttl-controller"
    kind = "Node"

    def watch(self) -> None:
        self.nodes = len(self.informers.list("Node"))  # Derived.
        super().watch()

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        self.nodes += (old is None) - (new is None)
        before, after = self.memory.get("step", 0), self._step()
        if before != after:
            self.memory["step"] = after
            for node in self.informers.list("Node"):
                self.queue.add(meta.name(node))
        elif new is not None and ANNOTATION not in meta.annotations(new):
            self.queue.add(meta.name(new))

    def _step(self) -> int:
        step = int(self.memory.get("step", 0))
        while self.nodes > STEPS[step].most:
            step += 1
        while self.nodes < STEPS[step].least:
            step -= 1
        return step

    def reconcile(self, node: Manifest) -> None:
        wanted = str(STEPS[self._step()].seconds)
        if meta.annotations(node).get(ANNOTATION) != wanted:
            self.client.patch("Node", "", meta.name(node), {"metadata": {"annotations": {ANNOTATION: wanted}}})
