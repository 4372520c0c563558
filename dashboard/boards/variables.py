"""The variables of a dashboard: what can be chosen, what is chosen, and what stands in its queries.

What is gone may still be chosen by name while Prometheus has samples of it: a deleted pod's curves are worth a look.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cluster.models import Cluster
from cluster.monitoring.store import Index
from dashboard import reads

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")
MOST = 500  # Choices of one variable; the one that is chosen is always among them.
SAFE = "[bcdfghjklmnpqrstvwxz2456789]"  # apimachinery/util/rand: what generated names are made of.
PODS_OF = {
    "Deployment": f"-{SAFE}{{1,10}}-{SAFE}{{5}}",
    "StatefulSet": "-[0-9]+",
    "DaemonSet": f"-{SAFE}{{5}}",
}
_NAME = re.compile(r"\$(\w+)")


@dataclass(frozen=True)
class Variable:
    """`choices`: those that are there now, and `more` that are not listed. What is chosen may be gone."""

    name: str
    chosen: str
    choices: list[str]
    more: int

    @property
    def is_gone(self) -> bool:
        return bool(self.chosen) and self.chosen not in self.choices


def chosen(cluster: Cluster, index: Index, names: Iterable[str], wish: Callable[[str], str]) -> list[Variable]:
    """In their order: later ones depend on earlier ones. `wish(name)`: what was asked for, or nothing."""
    found: list[Variable] = []
    for name in names:
        namespace = next((each.chosen for each in found if each.name == "namespace"), "")
        choices = _CHOICES[name](cluster, namespace)
        wanted = wish(name)
        if wanted not in choices and not _was_seen(index, name, wanted, namespace):
            wanted = _usual(name, choices, cluster)
        listed = [wanted, *choices[: MOST - 1]] if wanted in choices[MOST:] else choices[:MOST]
        found.append(Variable(name, wanted, listed, max(len(choices) - MOST, 0)))
    return found


def _usual(name: str, choices: list[str], cluster: Cluster) -> str:
    """`default` if there is something in it, else the first namespace that has pods, else the first of all."""
    if name != "namespace":
        return choices[0] if choices else ""
    inhabited = {key.partition("/")[0] for key in reads.keys(cluster, "Pod")}
    return next((each for each in ("default", *choices) if each in inhabited), choices[0] if choices else "")


def _was_seen(index: Index, name: str, value: str, namespace: str) -> bool:
    """Are there samples of a pod, node or namespace of that name?"""
    numbers = index.values.get(name, {}).get(value, ())
    return any(name != "pod" or index.labels[number].get("namespace") == namespace for number in numbers)


def _within(cluster: Cluster, kind: str, namespace: str) -> list[str]:
    return [key.partition("/")[2] for key in reads.keys(cluster, kind) if key.startswith(f"{namespace}/")]


_CHOICES: dict[str, Callable[[Cluster, str], list[str]]] = {
    "namespace": lambda cluster, _: reads.keys(cluster, "Namespace"),
    "node": lambda cluster, _: reads.keys(cluster, "Node"),
    "pod": lambda cluster, namespace: _within(cluster, "Pod", namespace),
    "workload": lambda cluster, namespace: [
        f"{kind}/{name}" for kind in WORKLOADS for name in _within(cluster, kind, namespace)
    ],
}


def values(variables: Iterable[Variable]) -> dict[str, str]:
    """What the names in a query stand for; a workload gives $pods, and of $deployment, $statefulset and $daemonset the
    one that it is, with the others empty.
    """
    found = {each.name: each.chosen for each in variables}
    kind, _, name = found.pop("workload", "").partition("/")
    if kind:
        found |= {each.lower(): name if each == kind else "" for each in WORKLOADS}
        found["pods"] = name.replace(".", r"\.") + PODS_OF.get(kind, "")
    return found


def filled(query: str, of: Mapping[str, str]) -> str:
    """The query with its variables replaced; unknown ones stay.

    >>> filled('up{node="$node"}', {"node": 'a"b'})
    'up{node="a\\\\"b"}'
    """

    def put(found: re.Match[str]) -> str:
        value = of.get(found[1])
        return found[0] if value is None else value.replace("\\", "\\\\").replace('"', '\\"')

    return _NAME.sub(put, query)
