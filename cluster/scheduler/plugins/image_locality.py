"""ImageLocality: a node that has the pod's images already starts it sooner.

An image counts by its size, and less if few nodes have it: else all pods would pile up on the one that does. Below
23 MiB it counts nothing, from 1,000 MiB for each container on it counts fully.

Mirrors: kubernetes/pkg/scheduler/framework/plugins/imagelocality/image_locality.go
"""

from collections import OrderedDict
from typing import Any, NamedTuple

import numpy as np

from cluster.objects import Manifest
from cluster.scheduler.framework import MAX_NODE_SCORE, SKIP, Plugin
from cluster.scheduler.snapshot import NodeInfo, Numbers, Snapshot, View

MIB = 1024 * 1024
LEAST, MOST = 23 * MIB, 1_000 * MIB  # Most: for each image of the pod.
REMEMBERED = 64  # Lists of images whose points are known.


class Wanted(NamedTuple):
    """The pod's images, and what some node has of them: bytes by node, scaled by how many have it."""

    names: tuple[str, ...]
    sizes: list[dict[str, int]]


class ImageLocality(Plugin):
    name = "ImageLocality"
    local = False

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, ...], tuple[tuple[int, int], Wanted, Numbers]] = OrderedDict()

    def prescore(self, pod: Manifest, snapshot: Snapshot, rows: Any = None) -> Any:
        if not snapshot.images:
            return SKIP
        spec = pod["spec"]
        names = tuple(tagged(c.get("image", "")) for c in (*(spec.get("initContainers") or ()), *spec["containers"]))
        version = (snapshot.layout, snapshot.images_version)
        known = self._known.get(names)
        if known is None or known[0] != version:
            ask = _wanted(snapshot, names)
            known = self._known[names] = (version, ask, _column(snapshot, ask))
            if len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return known[1] if known[1].sizes else SKIP

    def score(self, ask: Wanted, node: NodeInfo) -> int:
        return _points(ask, node.name)

    def score_all(self, ask: Wanted, view: View) -> Numbers:
        column = self._known[ask.names][2]
        return column.copy() if view.rows is None else column[view.rows]


def _wanted(snapshot: Snapshot, names: tuple[str, ...]) -> Wanted:
    total, sizes = len(snapshot.nodes), []
    for have in (snapshot.images[name] for name in names if name in snapshot.images):
        share = len(have) / total
        sizes.append({node: int(size * share) for node, size in have.items()})
    return Wanted(names, sizes)


def _column(snapshot: Snapshot, ask: Wanted) -> Numbers:
    column = np.zeros(len(snapshot.nodes), np.int64)
    for name in {name for sizes in ask.sizes for name in sizes}:
        if name in snapshot.rows:
            column[snapshot.rows[name]] = _points(ask, name)
    return column


def _points(ask: Wanted, node: str) -> int:
    size, most = sum(sizes.get(node, 0) for sizes in ask.sizes), MOST * len(ask.names)
    return MAX_NODE_SCORE * (min(max(size, LEAST), most) - LEAST) // (most - LEAST)


def tagged(image: str) -> str:
    """With the tag that is meant if none is named."""
    return image if ":" in image[image.rfind("/") + 1 :] else f"{image}:latest"
