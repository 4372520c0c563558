"""What would make a pod fit, in sentences: the search of cluster/scheduler/whatif.py, on committed rows.

An answer is kept for a moment, since the page asks again whenever something changes.
"""

import time
from collections.abc import Callable
from typing import Any

from django.utils.translation import gettext as _

from cluster.engine.informer import Informers
from cluster.models import Cluster
from cluster.objects import Manifest, meta
from cluster.scheduler import configuration, whatif
from dashboard import reads
from dashboard.panels import scheduler_configuration

KEPT = 64  # Answers kept.
FRESH = 3.0  # Seconds.
MOST_NODES = 1_000  # In larger clusters the search would keep everybody waiting.
_answers: dict[tuple[int, str, str], tuple[float, dict[str, Any]]] = {}


def about(cluster: Cluster, pod: Manifest, node: str = "") -> dict[str, Any]:
    """{advice: [{changes: [{text, line}]}], obstacles: {node: [reasons]}, left_out: nodes, if there are too many}.

    Of a pod that runs: as if it had to find a node now. `node`: what would make it fit there. Errors: KeyError.
    """
    key, now = (cluster.pk, f"{meta.uid(pod)}/{meta.generation(pod)}", node), time.monotonic()
    known = _answers.get(key)
    if known is None or now - known[0] > FRESH:
        if len(_answers) >= KEPT:
            _answers.clear()
        known = _answers[key] = (now, _search(cluster, pod, node))
    found = known[1]
    return {
        "advice": [
            {"changes": [{"text": sentence(change), "line": change.line} for change in each.changes]}
            for each in found["advice"]
        ],
        "obstacles": found["obstacles"],
        "left_out": found["left_out"],
    }


def _search(cluster: Cluster, pod: Manifest, node: str) -> dict[str, Any]:
    told = configuration.read(scheduler_configuration.text_of(cluster))
    scene = whatif.Scene(informers_of(cluster), told)
    if len(scene.nodes) > MOST_NODES and not node:
        return {"advice": [], "obstacles": {}, "left_out": len(scene.nodes)}
    runs = bool(pod["spec"].get("nodeName"))
    if runs:
        pod = whatif.unbound(scene, pod)
    obstacles = {
        name: [reason for refused in found for reason in refused.reasons]
        for name, found in whatif.why_not(scene, pod, node).items()
    }
    wanted = node or not runs
    return {"advice": whatif.smallest(scene, pod, node) if wanted else [], "obstacles": obstacles, "left_out": 0}


def informers_of(cluster: Cluster) -> Informers:
    """The objects that the scheduler looks at, from committed rows."""
    informers = Informers()
    for kind in whatif.KINDS:
        for rank, obj in enumerate(reads.listing(cluster, kind)):
            informers.load(kind, meta.key(obj), obj, rank)
    return informers


def sentence(change: whatif.Change) -> str:
    return SENTENCES[change.kind]() % change.words


SENTENCES: dict[str, Callable[[], str]] = {
    "uncordon": lambda: _("Open %(node)s for new pods."),
    "untaint": lambda: _("Take the taint %(taint)s off %(node)s."),
    "tolerate": lambda: _("Let the pod tolerate the taint %(taint)s."),
    "label": lambda: _("Give %(node)s the label %(label)s."),
    "any-node": lambda: _("Don't ask for certain nodes."),
    "shrink": lambda: _("Request no more than %(requests)s."),
    "remove": lambda: _("Make room: let %(pod)s go from %(node)s."),
    "no-host-port": lambda: _("Don't ask for a port of the node."),
    "drop-rule": lambda: _("Drop the rule %(rule)s."),
    "skew": lambda: _("Allow a skew of %(skew)s."),
    "new-node": lambda: _("Add a node with %(cpu)s CPUs and %(memory)s."),
    "ungate": lambda: _("Remove the scheduling gates %(gates)s."),
    "scheduler": lambda: _("Start the scheduler %(name)s, or name another one."),
}
