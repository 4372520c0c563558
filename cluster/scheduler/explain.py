"""Why this node? Why not that one? Verdicts turned into rows that a page or a terminal can print.

Pure functions of a verdict (see verdict.py): the dashboard and `manage.py why` show the same words.
"""

from typing import Any, NamedTuple

from cluster.scheduler.verdict import Verdict

PLAINLY = {  # What each plugin weighs, in words of a learner.
    "NodeUnschedulable": "is the node open for new pods?",
    "NodeName": "does the pod ask for this very node?",
    "TaintToleration": "does the pod tolerate the node's taints?",
    "NodeAffinity": "do the node's labels match what the pod wants?",
    "NodePorts": "are the host ports free that the pod wants?",
    "NodeResourcesFit": "is there room for what the pod requests, and how much stays free?",
    "NodeResourcesBalancedAllocation": "do CPU and memory fill up evenly?",
    "VolumeRestrictions": "may another pod use the same volume?",
    "NodeVolumeLimits": "can the node take one more volume?",
    "VolumeBinding": "can the pod's volumes be reached, found or made there?",
    "VolumeZone": "are the volumes in the node's zone?",
    "PodTopologySpread": "are there few pods like this one here, on this node and in its zone?",
    "InterPodAffinity": "are pods here that this one wants near, or far?",
    "ImageLocality": "are the pod's images here already?",
}


class Score(NamedTuple):
    """One plugin's say about one node: `raw` as computed, `score` of 0 … 100, `points` = score x weight."""

    plugin: str
    question: str
    raw: int
    score: int
    weight: int
    points: int


class Row(NamedTuple):
    """One node in a verdict. `fits`: None if it was never looked at."""

    node: str
    chosen: bool
    fits: bool | None
    total: int | None
    scores: list[Score]
    plugin: str
    reasons: list[str]
    text: str


def rows(verdict: Verdict) -> list[Row]:
    """Every node that the verdict names: the chosen one, the others by score, then the refused ones."""
    found = [_scored(verdict, place) for place in range(len(verdict["scored"]["nodes"]))]
    for plugin, reasons, _, _, names in verdict["refused"]:
        found += [_refused(name, plugin, reasons) for name in names]
    return found


def why_this(verdict: Verdict) -> Row | None:
    """The chosen node's row; None if the pod found no node."""
    return next((row for row in rows(verdict) if row.chosen), None)


def why_not(verdict: Verdict, node: str) -> Row:
    """The row of `node`, whatever became of it."""
    for row in rows(verdict):
        if row.node == node:
            return row
    if "only" in verdict and node not in verdict["only"]:
        text = f"the pod may only run on {', '.join(verdict['only'])}"
        return Row(node, False, False, None, [], "NodeAffinity", [text], text)
    groups = summary(verdict)
    if verdict["node"] is None and len(groups) == 1:
        return _refused(node, verdict["refused"][0][0], verdict["refused"][0][1])
    text = f"not kept of this decision, which looked at {verdict['evaluated']} of {verdict['nodes']} nodes"
    return Row(node, False, None, None, [], "", [], text)


def summary(verdict: Verdict) -> list[tuple[int, str, str]]:
    """Refusals grouped: (how many nodes, plugin, reasons as text), most nodes first."""
    return [(count, plugin, ", ".join(reasons)) for plugin, reasons, _, count, _ in verdict["refused"]]


def headline(verdict: Verdict) -> str:
    """One sentence about the whole decision."""
    if verdict["node"] is None:
        return str(verdict["message"])
    looked = f"looked at {verdict['evaluated']} of {verdict['nodes']} nodes, {verdict['feasible']} fit"
    if verdict["feasible"] == 1:
        return f"{verdict['node']}: {looked}, so there was nothing to compare"
    best = verdict["scored"]["total"][0]
    if verdict["ties"] > 1:
        return f"{verdict['node']}: {looked}; {verdict['ties']} share the best score {best}, the dice chose"
    return f"{verdict['node']}: {looked}; it has the best score, {best}"


def _scored(verdict: Verdict, place: int) -> Row:
    scored = verdict["scored"]
    node = scored["nodes"][place]
    chosen = node == verdict["node"]
    if not scored["total"]:
        return Row(node, chosen, True, None, [], "", [], "the only node that fits: taken without scoring")
    weights = dict(verdict["profile"])
    scores = [
        Score(name, PLAINLY.get(name, ""), raw[place], shown[place], weights[name], shown[place] * weights[name])
        for name, (raw, shown) in scored["plugins"].items()
    ]
    total = scored["total"][place]
    return Row(node, chosen, True, total, scores, "", [], _comparison(verdict, chosen, total, scores))


def _comparison(verdict: Verdict, chosen: bool, total: int, scores: list[Score]) -> str:
    if chosen:
        return (
            f"best score: {total}" if verdict["ties"] == 1 else f"one of {verdict['ties']} with the best score, {total}"
        )
    best = verdict["scored"]["total"][0]
    if total == best:
        return f"as good as {verdict['node']} ({total}); the dice chose"
    behind = []
    for score in scores:
        shown = verdict["scored"]["plugins"][score.plugin][1]
        lost = shown[0] * score.weight - score.points
        if lost > 0:
            behind.append((lost, score.plugin))
    most = max(behind, default=(0, ""))
    if best - total == 1:
        return f"1 point behind {verdict['node']}, lost in {most[1]}"
    return f"{best - total} points behind {verdict['node']}, most of them lost in {most[1]}"


def _refused(node: str, plugin: str, reasons: list[str]) -> Row:
    return Row(node, False, False, None, [], plugin, list(reasons), f"refused by {plugin}: {', '.join(reasons)}")


def as_plain(row: Row) -> dict[str, Any]:
    """A row as JSON data."""
    return {**row._asdict(), "scores": [score._asdict() for score in row.scores]}
