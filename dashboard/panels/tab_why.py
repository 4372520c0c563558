"""Why: one sentence, the scheduler's verdict node by node, and the chain of causes, newest first.

The chain is the same that `manage.py why --json` prints; this file only chooses how it looks.
"""

from typing import Any

import orjson

from cluster import why
from cluster.models import Cluster, Verdict
from cluster.objects import Manifest, errors, meta, pods
from cluster.scheduler import explain
from dashboard import advice, endings, reads, story
from dashboard.panels.panel import View

TEXTURES = 5
SHOWN = 50  # Nodes whose obstacles are listed.
BEST = 6  # Scored nodes that are shown at once; the others unfold.


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    namespace, name = meta.split_key(key)
    try:
        told = why.explain(why.CommittedRecords(view.cluster), kind, namespace, name)
    except errors.ApiError as error:
        return {"verdict": str(error), "chain": []}
    links = told["chain"]
    chain = [link_row(link, newest=index == 0) for index, link in enumerate(links)]
    ended = endings.of(view.cluster, obj) if kind == "Pod" and obj is not None else []
    verdict = story.short(story.sentence(told["verdict"]))
    return {"endings": ended, "verdict": verdict, "chain": chain, **scheduling(view, obj)}


def link_row(link: dict[str, Any], newest: bool) -> dict[str, Any]:
    """One line of the chain. `look`: a diamond for what went wrong, a halo for the newest."""
    bad = link["verb"] in ("power-off", "missed lease", "NodeStatusUnknown", "tainted")
    thing = link["object"]
    return {
        "at": link["simTime"],
        "text": story.short(story.sentence(link["text"])),
        "long": story.sentence(link["text"]),
        "actor": story.actor(link["actor"]),
        "waited": link["waited"],
        "object": thing if thing.split("/")[0] in ("Pod", "Node", "ReplicaSet", "Deployment", "Service") else "",
        "look": "bad" if bad else "now" if newest else "",
    }


def scheduling(view: View, obj: Manifest | None) -> dict[str, Any]:
    """What the scheduler thought of each node when it last looked at the pod; empty for everything else."""
    if obj is None or obj["kind"] != "Pod":
        return {}
    verdict = verdict_body(view.cluster, obj)
    rows = verdict_rows(verdict) if verdict is not None else {}
    if meta.is_deleting(obj) or pods.is_terminal(obj):
        return rows
    return rows | (elsewhere(view, obj, verdict) if obj["spec"].get("nodeName") else advice_for(view, obj))


def advice_for(view: View, pod: Manifest) -> dict[str, Any]:
    """For a pod that waits: all that stands against each node, and the smallest changes that would help."""
    found = advice.about(view.cluster, pod)
    obstacles = [{"node": node, "reasons": reasons} for node, reasons in found["obstacles"].items()]
    return {"advice": found["advice"], "obstacles": obstacles[:SHOWN], "left_out": found["left_out"]}


def elsewhere(view: View, pod: Manifest, verdict: dict[str, Any] | None) -> dict[str, Any]:
    """For a pod that runs: why not there? For a node of the reader's choice, then and now, and what would help."""
    names = [name for name in reads.keys(view.cluster, "Node") if name != pod["spec"]["nodeName"]]
    if len(names) >= advice.MOST_NODES:
        return {"left_out": len(names) + 1}
    chosen = view.wish("node")
    found: dict[str, Any] = {"others": names, "node": chosen}
    if chosen not in names:
        return found | {"node": ""}
    told = advice.about(view.cluster, pod, chosen)
    then = story.sentence(explain.why_not(verdict, chosen).text) if verdict is not None else ""
    return found | {"then": then, "now": told["obstacles"].get(chosen, []), "there": told["advice"]}


def verdict_body(cluster: Cluster, pod: Manifest) -> dict[str, Any] | None:
    """What is kept of the scheduler's decision; None: nothing."""
    body = Verdict.objects.filter(pk=f"{cluster.pk}:{meta.uid(pod)}").values_list("body", flat=True).first()
    return None if body is None else orjson.loads(bytes(body))


def verdict_rows(verdict: dict[str, Any]) -> dict[str, Any]:
    """Rows for the table: scored nodes with a bar of points per plugin, then the refused ones with the
    reason.
    """
    found = explain.rows(verdict)
    names = [name for name, _ in verdict["profile"]]
    most = max([row.total or 0 for row in found] or [0]) or 1
    scores = [scored(row, names, most) for row in found if row.fits]
    return {
        "scores": scores[:BEST],
        "further": scores[BEST:],
        "rejected": [
            {"node": row.node, "reason": ", ".join(row.reasons), "plugin": row.plugin} for row in found if not row.fits
        ],
        "unnamed": [
            {"count": count, "reason": reasons, "plugin": plugin}
            for count, plugin, reasons in explain.summary(verdict)
            if not any(row.plugin == plugin for row in found)
        ],
        "plugins": [{"name": spaced(name), "texture": texture(names, name)} for name in names if most > 1],
    }


def scored(row: explain.Row, names: list[str], most: int) -> dict[str, Any]:
    """One node: its bar is made of each plugin's points, in proportion to the best total."""
    bars: list[dict[str, Any]] = []
    x = 0.0
    for score in row.scores:
        width = round(100 * score.points / most, 2)
        words = f"{score.plugin}: {score.score} × {score.weight} = {score.points}"
        bars.append(
            {
                "x": f"{x:.2f}",
                "width": f"{max(width - 0.6, 0):.2f}",
                "texture": texture(names, score.plugin),
                "words": words,
            }
        )
        x += width
    text = story.sentence(row.text)
    words = "; ".join(bar["words"] for bar in bars) or text
    return {
        "node": row.node,
        "won": row.chosen,
        "total": "" if row.total is None else row.total,
        "bars": bars,
        "words": words,
        "text": text,
    }


def texture(names: list[str], name: str) -> int:
    return names.index(name) % TEXTURES + 1 if name in names else TEXTURES


def spaced(name: str) -> str:
    """NodeResourcesBalancedAllocation as Balanced allocation: the legend has little room."""
    short = name.removeprefix("NodeResources").removeprefix("Node")
    return "".join(f" {c.lower()}" if c.isupper() and i else c for i, c in enumerate(short))
