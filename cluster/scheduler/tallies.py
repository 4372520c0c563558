"""How many pods of some sort are on each node, in each zone? Counted once, then kept up to date.

Pods with the same namespace and labels form a group; a tally is one question ("pods of default labelled app=web") and
knows which groups it counts. When a pod comes or goes, the tallies of its group change by one: asking again costs a
look at a column. `Carriers` are tallies the other way around: pods that themselves say something of other pods.

    snapshot ──pod added──▶ group ──▶ every tally that counts it ──▶ column[row] += 1, domains[zone] += 1

Everything here follows from the pods that the snapshot holds; nothing of it is kept.

Read next: plugins/pod_topology_spread.py, plugins/inter_pod_affinity.py.
"""

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cluster.objects import Manifest, meta
from cluster.scheduler.terms import NO_TERMS, NamespaceLabels, Query, Term, Terms, terms_of

if TYPE_CHECKING:
    from cluster.scheduler.snapshot import PodInfo, Snapshot

Numbers = NDArray[np.int64]

TALLIES = 512  # Questions remembered; the one not asked for longest is forgotten first.
MATCHES = 1_024  # Pod shapes for which it is known which carriers mean them.


class Counted:
    """Numbers by node: `column` by row of the snapshot, and by domain of any label."""

    __slots__ = ("_column", "_domains", "_epoch", "_snapshot", "_version")

    def __init__(self, snapshot: "Snapshot") -> None:
        self._snapshot = snapshot
        self._epoch = self._version = -1
        self._column: Numbers = np.zeros(0, np.int64)
        self._domains: dict[str, Numbers] = {}

    def where(self) -> dict[str, int]:
        """Node name to number, counted anew."""
        raise NotImplementedError

    @property
    def column(self) -> Numbers:
        snapshot = self._snapshot
        if self._epoch != snapshot.layout:
            self._epoch, self._domains = snapshot.layout, {}
            self._column = np.zeros(len(snapshot.nodes), np.int64)
            for name, number in self.where().items():
                row = snapshot.rows.get(name)
                if row is not None:
                    self._column[row] += number
        return self._column

    def domains(self, key: str) -> Numbers:
        """By code of the label `key` (see Snapshot.label_column); code 0 stands for nodes without it."""
        column = self.column
        if self._version != self._snapshot.labels_version:
            self._version, self._domains = self._snapshot.labels_version, {}
        found = self._domains.get(key)
        if found is None:
            codes, values = self._snapshot.label_column(key)
            found = np.bincount(codes, weights=column, minlength=len(values) + 1).astype(np.int64)
            self._domains[key] = found
        return found

    def change(self, name: str, by: int) -> None:
        """A pod came to node `name` or left it."""
        snapshot = self._snapshot
        row = snapshot.rows.get(name)
        if row is None or self._epoch != snapshot.layout:
            return
        self._column[row] += by
        if self._version != snapshot.labels_version:
            self._domains = {}
        for key, counts in self._domains.items():
            counts[snapshot.label_column(key)[0][row]] += by


class Group:
    """Pods alike in namespace, labels and whether they are being deleted; on which nodes, and who counts them."""

    __slots__ = ("deleting", "labels", "namespace", "tallies", "where")

    def __init__(self, namespace: str, labels: dict[str, str], deleting: bool) -> None:
        self.namespace, self.labels, self.deleting = namespace, labels, deleting
        self.where: dict[str, int] = {}
        self.tallies: list[Tally] = []


class Tally(Counted):
    """The pods that all of `queries` mean. `alive`: those being deleted do not count."""

    __slots__ = ("_all", "alive", "queries")

    def __init__(self, owner: "Tallies", queries: tuple[Query, ...], alive: bool) -> None:
        super().__init__(owner.snapshot)
        self._all, self.queries, self.alive = owner, queries, alive

    def counts(self, group: Group) -> bool:
        if self.alive and group.deleting:
            return False
        names = self._all.namespace_labels
        return all(query.matches(group.namespace, group.labels, names) for query in self.queries)

    def where(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for group in self._all.groups.values():
            if self in group.tallies:
                for name, number in group.where.items():
                    found[name] = found.get(name, 0) + number
        return found


class Carriers(Counted):
    """Pods of one namespace that say the same of other pods."""

    __slots__ = ("_where", "terms")

    def __init__(self, snapshot: "Snapshot", terms: Terms) -> None:
        super().__init__(snapshot)
        self.terms, self._where = terms, {}  # type: Terms, dict[str, int]

    def where(self) -> dict[str, int]:
        return self._where

    def move(self, name: str, by: int) -> bool:
        """Returns whether any are left."""
        left = self._where.get(name, 0) + by
        if left:
            self._where[name] = left
        else:
            self._where.pop(name, None)
        self.change(name, by)
        return bool(self._where)


class Said(NamedTuple):
    """Terms of pods that run already, by their sort (as in `Terms`), with the pods that say it."""

    affinity: tuple[tuple[Carriers, Term], ...] = ()
    anti: tuple[tuple[Carriers, Term], ...] = ()
    liked: tuple[tuple[Carriers, Term], ...] = ()
    disliked: tuple[tuple[Carriers, Term], ...] = ()


NOTHING = Said()


class Tallies:
    """All groups, tallies and carriers of a snapshot. `namespace_labels`: of a namespace, by name."""

    def __init__(self, snapshot: "Snapshot", namespace_labels: NamespaceLabels) -> None:
        self.snapshot, self.namespace_labels = snapshot, namespace_labels
        self.groups: dict[Any, Group] = {}
        self.carriers: dict[Terms, Carriers] = {}
        self._tallies: OrderedDict[tuple[tuple[Query, ...], bool], Tally] = OrderedDict()
        self._matches: OrderedDict[Any, Said] = OrderedDict()
        self._asked: tuple[Manifest | None, Said] = (None, NOTHING)  # The last pod, and what was said of it.

    def tally(self, queries: tuple[Query, ...], alive: bool) -> Tally:
        key = (queries, alive)
        found = self._tallies.get(key)
        if found is not None:
            self._tallies.move_to_end(key)
            return found
        found = self._tallies[key] = Tally(self, queries, alive)
        for group in self.groups.values():
            if found.counts(group):
                group.tallies.append(found)
        if len(self._tallies) > TALLIES:
            _, oldest = self._tallies.popitem(last=False)
            for group in self.groups.values():
                if oldest in group.tallies:
                    group.tallies.remove(oldest)
        return found

    def forget(self) -> None:
        """A namespace has other labels: what selects by them is counted anew."""
        self._tallies.clear()
        self._forget_matches()
        for group in self.groups.values():
            group.tallies.clear()

    # --- pods come and go ---------------------------------------------------------------------------------------

    def add(self, info: "PodInfo", node: str) -> None:
        key, group = self._group(info.pod)
        info.group = key
        group.where[node] = group.where.get(node, 0) + 1
        for tally in group.tallies:
            tally.change(node, 1)
        terms = terms_of(info.pod)
        if terms is not NO_TERMS:
            carriers = self.carriers.get(terms)
            if carriers is None:
                carriers = self.carriers[terms] = Carriers(self.snapshot, terms)
                self._forget_matches()
            carriers.move(node, 1)

    def remove(self, info: "PodInfo", node: str) -> None:
        group = self.groups[info.group]
        left = group.where[node] - 1
        if left:
            group.where[node] = left
        else:
            del group.where[node]
        for tally in group.tallies:
            tally.change(node, -1)
        if not group.where:
            del self.groups[info.group]
        terms = terms_of(info.pod)
        if terms is not NO_TERMS and not self.carriers[terms].move(node, -1):
            del self.carriers[terms]
            self._forget_matches()

    def _group(self, pod: Manifest) -> tuple[Any, Group]:
        labels, deleting = meta.labels(pod), meta.is_deleting(pod)
        key = (meta.namespace(pod), deleting, *labels.items())
        found = self.groups.get(key)
        if found is None:
            found = self.groups[key] = Group(meta.namespace(pod), labels, deleting)
            found.tallies.extend(tally for tally in self._tallies.values() if tally.counts(found))
        return key, found

    # --- who says something of this pod? ------------------------------------------------------------------------

    def said_of(self, pod: Manifest) -> Said:
        """What carriers say that means `pod`."""
        if not self.carriers:
            return NOTHING
        if pod is self._asked[0]:  # Filter and Score ask about the same pod, one after the other.
            return self._asked[1]
        labels, namespace = meta.labels(pod), meta.namespace(pod)
        key = (namespace, *labels.items())
        found = self._matches.get(key)
        if found is None:
            found = self._matches[key] = Said(
                *(
                    tuple(
                        (carriers, term)
                        for carriers in self.carriers.values()
                        for term in carriers.terms[part]
                        if term.query.matches(namespace, labels, self.namespace_labels)
                    )
                    for part in range(len(NO_TERMS))
                )
            )
            if len(self._matches) > MATCHES:
                self._matches.popitem(last=False)
        self._asked = (pod, found)
        return found

    def _forget_matches(self) -> None:
        self._matches.clear()
        self._asked = (None, NOTHING)
