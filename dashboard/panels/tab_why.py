"""Why: one sentence, the scheduler's verdict node by node, and the chain of causes, newest first.

The chain is the same that `manage.py why --json` prints; this file only chooses how it looks.
"""

from typing import Any

import orjson

from cluster import why
from cluster.models import Verdict
from cluster.objects import Manifest, errors, meta
from dashboard import story
from dashboard.panels.panel import View

TEXTURES = 5


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    namespace, name = meta.split_key(key)
    try:
        told = why.explain(why.CommittedRecords(view.cluster), kind, namespace, name)
    except errors.ApiError as error:
        return {"verdict": str(error), "chain": []}
    links = told["chain"]
    chain = [link_row(link, newest=index == 0) for index, link in enumerate(links)]
    return {"verdict": story.sentence(told["verdict"]), "chain": chain, **scheduling(view, obj)}


def link_row(link: dict[str, Any], newest: bool) -> dict[str, Any]:
    """One line of the chain. `look`: a diamond for what went wrong, a halo for the newest."""
    bad = link["verb"] in ("power-off", "missed lease", "NodeStatusUnknown", "tainted")
    thing = link["object"]
    return {
        "at": link["simTime"],
        "text": story.sentence(link["text"]),
        "actor": story.actor(link["actor"]),
        "waited": link["waited"],
        "object": thing if thing.split("/")[0] in ("Pod", "Node", "ReplicaSet", "Deployment", "Service") else "",
        "look": "bad" if bad else "now" if newest else "",
    }


def scheduling(view: View, obj: Manifest | None) -> dict[str, Any]:
    """What the scheduler thought of each node when it last looked at the pod; empty for everything else."""
    if obj is None or obj["kind"] != "Pod":
        return {}
    body = Verdict.objects.filter(pk=f"{view.cluster.pk}:{meta.uid(obj)}").values_list("body", flat=True).first()
    return {} if body is None else verdict_rows(orjson.loads(bytes(body)))
