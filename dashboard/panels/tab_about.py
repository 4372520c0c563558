"""A box of the control plane: what it is for, and what it did lately."""

from typing import Any

import orjson
from django.utils.translation import gettext as _

from cluster.models import REVISION_BITS, Revision
from cluster.objects import meta
from dashboard.panels.panel import View

LOOKED_AT = 1_500  # Newest revisions that are searched for the component's deeds.
MOST = 25


def context(view: View, name: str) -> dict[str, Any]:
    about = {
        "kube-apiserver": _(
            "The only door to etcd. It authenticates, admits, validates and stores; "
            "everybody else reads, writes and watches through it."
        ),
        "kube-scheduler": _(
            "Gives each pod without a node the best node: it filters out those that don't fit, "
            "scores the rest, and writes a binding."
        ),
        "kube-controller-manager": _(
            "Many small loops in one process. Each compares what is wanted with what is there, "
            "and closes the gap through the API server."
        ),
    }
    return {
        "line": _("Control plane"),
        "icon": "cpu",
        "about": about.get(name, ""),
        "deeds": deeds(view, name),
    }


def deeds(view: View, name: str) -> list[dict[str, Any]]:
    """The component's newest writes. Everybody's, for the API server: all of them went through it."""
    first = view.cluster.pk << REVISION_BITS | max(view.cluster.revision - LOOKED_AT, 0)
    newest = Revision.objects.filter(id__gt=first, id__lt=(view.cluster.pk + 1) << REVISION_BITS).order_by("-id")
    found: list[dict[str, Any]] = []
    for verb, actor, value, sim_time in newest.values_list("verb", "actor", "value", "sim_time")[:LOOKED_AT]:
        if not belongs(actor, name):
            continue
        obj = orjson.loads(bytes(value))
        if obj["kind"] not in ("Lease", "Event"):
            found.append({"at": sim_time, "actor": actor, "verb": verb, "kind": obj["kind"], "key": meta.key(obj)})
        if len(found) == MOST:
            break
    return found


def belongs(actor: str, component: str) -> bool:
    if component == "kube-apiserver":
        return True
    if component == "kube-scheduler":
        return "scheduler" in actor
    return not actor.startswith(("kubelet/", "system:", "kube-proxy/", "you", "boot")) and "scheduler" not in actor
