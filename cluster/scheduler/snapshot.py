"""The scheduler's picture of the nodes: one `NodeInfo` each, and the same numbers as columns for numpy.

Columns are kept current by single rows: binding a pod changes five numbers. Whoever computed something from
the columns (see `Plan` in framework.py) reads in `log` which rows changed since and mends just these. When
nodes come or go, everything is laid out anew and `epoch` says so.

The order of rows is that of the real node tree: round-robin over the zones, so that looking at the first half
of the nodes looks at all zones. It follows from the Node objects alone, so a rebuilt world has the same.

Mirrors:  kubernetes/pkg/scheduler/backend/cache (cache.go, node_tree.go, snapshot.go)
Left out: assumed pods as such: a binding is visible the moment it is written. Pods that wait in PreBind are added
          like bound ones (see binding.py).
"""

from collections.abc import Callable, Iterable, Set
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.objects import Manifest, meta
from cluster.scheduler import resources
from cluster.scheduler.resources import BASIC, Amounts, Requests
from cluster.scheduler.tallies import Tallies
from cluster.scheduler.terms import NamespaceLabels

Numbers = NDArray[np.int64]

# Of one row: free places for pods; CPU, memory and storage that nobody requested; CPU and memory that there are, that
# are requested, and that would be free if pods without requests took their defaults.
Plain = tuple[int, int, int, int, int, int, int, int, int, int]
NO_NUMBERS: Plain = (0,) * 10  # type: ignore[assignment]
NOT_EXTENDED = frozenset((*BASIC, "pods"))
LOG_LIMIT = 50_000  # Changes remembered; after that everybody computes anew, once.
ZONE_LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")


def _no_labels(namespace: str) -> dict[str, str]:
    return {}


class PodInfo:
    """A pod on a node, with what it asks for."""

    __slots__ = ("group", "pod", "requests")

    def __init__(self, pod: Manifest) -> None:
        self.pod, self.requests = pod, resources.requests(pod)
        self.group: Any = None  # Which pods are counted together with it: see tallies.py.


class NodeInfo:
    """One node as a plain plugin sees it. `requested`: by resource; `cpu`, `memory`: with defaults."""

    __slots__ = (
        "allocatable",
        "cpu",
        "images",
        "labels",
        "memory",
        "name",
        "node",
        "pods",
        "requested",
        "taints",
        "unschedulable",
    )

    def __init__(self, name: str) -> None:
        self.name, self.node = name, None  # type: str, Manifest | None
        self.labels: dict[str, str] = {}
        self.taints: list[Manifest] = []
        self.unschedulable = False
        self.allocatable: Amounts = {}
        self.images: dict[str, int] = {}  # Names of the images there, with their bytes.
        self.pods: dict[str, PodInfo] = {}
        self.requested: Amounts = {}
        self.cpu = self.memory = 0

    def describe(self, node: Manifest) -> None:
        """Take over what the Node object says."""
        spec = node.get("spec") or {}
        self.node, self.labels, self.taints = node, meta.labels(node), spec.get("taints") or []
        self.unschedulable = bool(spec.get("unschedulable"))
        status = node.get("status") or {}
        self.allocatable = resources.amounts(status.get("allocatable") or status.get("capacity"))
        self.images = {
            name: image.get("sizeBytes", 0) for image in status.get("images") or () for name in image.get("names") or ()
        }

    def account(self, requests: Requests, sign: int) -> None:
        for name, count in requests.amounts.items():
            self.requested[name] = self.requested.get(name, 0) + sign * count
        self.cpu += sign * requests.cpu
        self.memory += sign * requests.memory

    def without(self, keys: Set[str], besides: Iterable[PodInfo] = ()) -> "NodeInfo":
        """A copy in which the pods `keys` do not run, and `besides` do: for trying what if."""
        copy = NodeInfo(self.name)
        copy.node, copy.labels, copy.taints, copy.unschedulable = (
            self.node,
            self.labels,
            self.taints,
            self.unschedulable,
        )
        copy.allocatable = self.allocatable
        for key, info in self.pods.items():
            if key not in keys:
                copy.pods[key] = info
                copy.account(info.requests, 1)
        for info in besides:
            copy.pods[meta.key(info.pod)] = info
            copy.account(info.requests, 1)
        return copy


class Snapshot:
    """All nodes. `ordered_nodes`: the Node objects in order of their creation; `namespace_labels`: by name."""

    def __init__(
        self, ordered_nodes: Callable[[], list[Manifest]], namespace_labels: NamespaceLabels = _no_labels
    ) -> None:
        self._ordered_nodes = ordered_nodes
        self.layout = self.labels_version = self.images_version = 0  # Change with the rows, nodes' labels, images.
        self.images: dict[str, dict[str, int]] = {}  # Image name to its bytes on each node that has it.
        self.tallies = Tallies(self, namespace_labels)
        self._infos: dict[str, NodeInfo] = {}  # Also of names that only pods mention.
        self._where: dict[str, str] = {}  # Pod key to node name.
        self.nominated: dict[str, tuple[str, PodInfo]] = {}  # Pods waiting for victims to go: key to (node, pod).
        self._stale = True
        self.epoch = 0
        self.log: list[int] = []  # Rows whose pods changed; ~row if the Node object did.
        self.nodes: list[NodeInfo] = []
        self.rows: dict[str, int] = {}
        self._labels: dict[str, tuple[Numbers, list[str]]] = {}
        self._unlabelled: dict[str, bool] = {}
        self._groups: dict[str, tuple[Numbers, list[NodeInfo]]] = {}
        self.lay_out()

    # --- what informers tell --------------------------------------------------------------------------------
    # ------------------------------------------------------------------------------------

    def set_node(self, node: Manifest) -> None:
        info = self._info(meta.name(node))
        zone_before = zone_of(info.labels) if info.node is not None else None
        before = info.labels, info.taints, info.unschedulable, info.allocatable
        images = info.images
        info.describe(node)
        if images != info.images:
            self._move_images(info.name, images, info.images)
        if zone_before is None or zone_before != zone_of(info.labels):
            self._stale = True
        if self._stale or before == (info.labels, info.taints, info.unschedulable, info.allocatable):
            return
        row = self.rows[info.name]
        self._write_node(row, info)
        self.complete = bool((self.has[:, :2] > 0).all())
        self._groups = {}
        if before[0] != info.labels:
            self._labels, self._unlabelled, self.labels_version = {}, {}, self.labels_version + 1
        self._log(~row)

    def _move_images(self, name: str, old: dict[str, int], new: dict[str, int]) -> None:
        self.images_version += 1
        for image in old.keys() - new.keys():
            del self.images[image][name]
            if not self.images[image]:
                del self.images[image]
        for image, size in new.items():
            self.images.setdefault(image, {})[name] = size

    def remove_node(self, name: str) -> None:
        info = self._info(name)
        self._move_images(name, info.images, {})
        info.node, info.images = None, {}
        self._forget_if_empty(name)
        self._stale = True

    def add_pod(self, pod: Manifest) -> None:
        """`pod` has a node and lives. Adding it again replaces it."""
        key = meta.key(pod)
        self.remove_pod(key)
        name = pod["spec"]["nodeName"]
        info, added = self._info(name), PodInfo(pod)
        self._where[key] = name
        info.pods[key] = added
        info.account(added.requests, 1)
        self.tallies.add(added, name)
        self._pods_changed(info, added.requests)

    def remove_pod(self, key: str) -> None:
        name = self._where.pop(key, None)
        if name is None:
            return
        info = self._infos[name]
        gone = info.pods.pop(key)
        info.account(gone.requests, -1)
        self.tallies.remove(gone, name)
        self._pods_changed(info, gone.requests)
        self._forget_if_empty(name)

    def node_of(self, key: str) -> str | None:
        """The node that a pod occupies, or is about to; None: none yet."""
        return self._where.get(key)

    def nominate(self, pod: Manifest) -> None:
        """Note the node that preemption keeps free for `pod`, which has none yet; or that there is none."""
        key, node = meta.key(pod), (pod.get("status") or {}).get("nominatedNodeName")
        if node:
            self.nominated[key] = (node, PodInfo(pod))
        else:
            self.nominated.pop(key, None)

    def _info(self, name: str) -> NodeInfo:
        info = self._infos.get(name)
        if info is None:
            info = self._infos[name] = NodeInfo(name)
        return info

    def _known(self, name: str) -> bool:
        return name in self._infos and self._infos[name].node is not None

    def _forget_if_empty(self, name: str) -> None:
        info = self._infos[name]
        if info.node is None and not info.pods:
            del self._infos[name]

    # --- columns --------------------------------------------------------------------------------------------
    # ------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Lay the columns out anew if nodes came or went since."""
        if self._stale:
            self.lay_out()

    def lay_out(self) -> None:
        named = [meta.name(node) for node in self._ordered_nodes()]
        self.nodes = in_zone_order([self._infos[name] for name in named if self._known(name)])
        self.rows = {info.name: row for row, info in enumerate(self.nodes)}
        count = len(self.nodes)
        self.has, self.used = np.zeros((count, len(BASIC)), np.int64), np.zeros((count, len(BASIC)), np.int64)
        self.weighed = np.zeros((count, 2), np.int64)
        self.pods, self.allowed = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.extended_has: dict[str, Numbers] = {}
        self.extended_used: dict[str, Numbers] = {}
        self.unschedulable = np.zeros(count, np.bool_)
        self.plain: list[Plain] = [NO_NUMBERS] * count
        for row, info in enumerate(self.nodes):
            self._write_node(row, info)
            self._write_pods(row, info, info.requested)
        self.complete = bool((self.has[:, :2] > 0).all())
        self._labels, self._groups, self._unlabelled = {}, {}, {}
        self.layout, self.labels_version = self.layout + 1, self.labels_version + 1
        self.log, self.epoch, self._stale = [], self.epoch + 1, False

    def _write_node(self, row: int, info: NodeInfo) -> None:
        """What the Node object says."""
        has = info.allocatable
        self.has[row] = [has.get(name, 0) for name in BASIC]
        self.allowed[row] = has.get("pods", 0)
        for name in (self.extended_has.keys() | has.keys()) - NOT_EXTENDED:
            self._column(self.extended_has, name)[row] = has.get(name, 0)
        self.unschedulable[row] = info.unschedulable
        self._write_plain(row, info)

    def _write_pods(self, row: int, info: NodeInfo, changed: Iterable[str]) -> None:
        """What the pods there take. `changed`: the resources of which that is news."""
        used = info.requested
        self.pods[row] = len(info.pods)
        self.weighed[row] = info.cpu, info.memory
        self.used[row] = used.get("cpu", 0), used.get("memory", 0), used.get("ephemeral-storage", 0)
        for name in changed:
            if name not in NOT_EXTENDED:
                self._column(self.extended_used, name)[row] = used[name]
        self._write_plain(row, info)

    def _write_plain(self, row: int, info: NodeInfo) -> None:
        """The same once more as numbers of Python's own, for who looks at single rows."""
        has, used = info.allocatable, info.requested
        cpu, memory, storage = has.get("cpu", 0), has.get("memory", 0), has.get("ephemeral-storage", 0)
        taken = used.get("cpu", 0), used.get("memory", 0)
        left = cpu - taken[0], memory - taken[1], storage - used.get("ephemeral-storage", 0)
        slots = has.get("pods", 0) - len(info.pods)
        self.plain[row] = (slots, *left, cpu, memory, *taken, cpu - info.cpu, memory - info.memory)

    def _column(self, columns: dict[str, Numbers], name: str) -> Numbers:
        column = columns.get(name)
        if column is None:
            column = columns[name] = np.zeros(len(self.nodes), np.int64)
        return column

    def _pods_changed(self, info: NodeInfo, requests: Requests) -> None:
        row = self.rows.get(info.name)
        if self._stale or row is None:
            return
        self._write_pods(row, info, requests.amounts)
        self._log(row)

    def _log(self, change: int) -> None:
        if len(self.log) >= LOG_LIMIT:
            self.log, self.epoch = [], self.epoch + 1
        self.log.append(change)

    # --- looking things up for many nodes at once -----------------------------------------------------------
    # ---------------------------------------------------------------

    def label_column(self, key: str) -> tuple[Numbers, list[str]]:
        """The label `key` of every node as (codes, values): code 0 is "has none", code n is values[n - 1]."""
        found = self._labels.get(key)
        if found is None:
            known: dict[str, int] = {}
            codes = [
                known.setdefault(info.labels[key], len(known) + 1) if key in info.labels else 0 for info in self.nodes
            ]
            found = self._labels[key] = (np.array(codes, np.int64), list(known))
        return found

    def is_everywhere(self, key: str) -> bool:
        """Do all nodes have the label `key`?"""
        found = self._unlabelled.get(key)
        if found is None:
            found = self._unlabelled[key] = bool((self.label_column(key)[0] == 0).any())
        return not found

    def grouped(self, what: str, of: Callable[[NodeInfo], Any]) -> tuple[Numbers, list[NodeInfo]]:
        """Nodes alike in `of(node)`, as (group of every row, a node of each group). `what` names `of`."""
        found = self._groups.get(what)
        if found is None:
            known: dict[Any, int] = {}
            examples: list[NodeInfo] = []
            groups = []
            for info in self.nodes:
                key = of(info)
                group = known.setdefault(key, len(known))
                if group == len(examples):
                    examples.append(info)
                groups.append(group)
            found = self._groups[what] = (np.array(groups, np.int64), examples)
        return found


class View:
    """The columns of some rows (None: of all), for the vectorised half of a plugin."""

    __slots__ = ("_taken", "rows", "snapshot")

    def __init__(self, snapshot: Snapshot, rows: Numbers | None = None) -> None:
        self.snapshot, self.rows = snapshot, rows
        self._taken: dict[int, Any] = {}  # Columns cut to `rows`, by identity: several plugins use the same.

    def __len__(self) -> int:
        return len(self.snapshot.nodes) if self.rows is None else len(self.rows)

    def nodes(self) -> list[NodeInfo]:
        nodes = self.snapshot.nodes
        return nodes if self.rows is None else [nodes[row] for row in self.rows.tolist()]

    def _of(self, column: Any) -> Any:
        if self.rows is None:
            return column
        taken = self._taken.get(id(column))
        if taken is None:
            taken = self._taken[id(column)] = column[self.rows]
        return taken

    @property
    def complete(self) -> bool:
        """Every node of the cluster has some CPU and some memory."""
        return self.snapshot.complete

    def has(self) -> Numbers:
        """Allocatable CPU, memory and storage: a column for each of BASIC."""
        return self._of(self.snapshot.has)

    def used(self) -> Numbers:
        """The same of what is requested."""
        return self._of(self.snapshot.used)

    def weighed(self) -> Numbers:
        """Requested CPU and memory, pods without requests counted with their defaults."""
        return self._of(self.snapshot.weighed)

    def extended(self, resource: str) -> tuple[Numbers, Numbers]:
        """(allocatable, requested) of a resource that is not among BASIC."""
        none = np.zeros(len(self), np.int64)
        has, used = self.snapshot.extended_has.get(resource), self.snapshot.extended_used.get(resource)
        return none if has is None else self._of(has), none if used is None else self._of(used)

    def pods(self) -> Numbers:
        return self._of(self.snapshot.pods)

    def allowed(self) -> Numbers:
        """How many pods may run there."""
        return self._of(self.snapshot.allowed)

    def unschedulable(self) -> NDArray[np.bool_]:
        return self._of(self.snapshot.unschedulable)

    def label(self, key: str) -> tuple[Numbers, list[str]]:
        codes, values = self.snapshot.label_column(key)
        return self._of(codes), values

    def per_group(self, what: str, of: Callable[[NodeInfo], Any], answer: Callable[[NodeInfo], int]) -> Numbers:
        """`answer(node)` for every row, asked once for each group of nodes alike in `of(node)`."""
        groups, examples = self.snapshot.grouped(what, of)
        return np.array([answer(info) for info in examples] or [0], np.int64)[self._of(groups)]


def zone_of(labels: dict[str, str]) -> tuple[str, str]:
    region, zone = ZONE_LABELS
    return labels.get(region, ""), labels.get(zone, "")


def in_zone_order(infos: list[NodeInfo]) -> list[NodeInfo]:
    """One of each zone in turn; zones and the nodes of a zone in the order in which they appeared."""
    zones: dict[tuple[str, str], list[NodeInfo]] = {}
    for info in infos:
        zones.setdefault(zone_of(info.labels), []).append(info)
    return [info for layer in zip_longest(*zones.values()) for info in layer if info is not None]
