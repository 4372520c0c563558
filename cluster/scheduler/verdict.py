"""What is kept of a decision: enough to say why this node and why not that one, small enough for every pod.

    {"pod": "default/web-1", "uid": …, "attempt": 1, "step": 812, "time": 20000, "node": "worker-2",
     "message": "", "nodes": 3, "evaluated": 3, "feasible": 2, "ties": 1,
     "profile": [["TaintToleration", 3], …],
     "scored": {"nodes": ["worker-2", "worker-3"], "total": [487, 480],
                "plugins": {"NodeResourcesFit": [[87, 80], [87, 80]], …}},
     "refused": [["NodeResourcesFit", ["Insufficient cpu"], true, 1, ["worker-1"]]]}

A score is kept as [raw, normalised], both without weight; a refusal as plugin, reasons, resolvable, count and
nodes.

Up to `ALL` nodes every node is named. In larger clusters the `BEST` best scores and a few names of each
group stay.
"""

from typing import Any

import numpy as np

from cluster.scheduler.framework import Cycle, Framework, Rejection, counting
from cluster.scheduler.snapshot import Numbers

ALL = 100
BEST = 20
NAMES = 3  # Of each group of refused nodes, where not all are named.

Verdict = dict[str, Any]


def of(cycle: Cycle, framework: Framework, attempt: int, step: int, now: int) -> Verdict:
    """The plain-data verdict of `cycle`."""
    metadata = cycle.pod["metadata"]
    count = len(cycle.snapshot.nodes)
    found = {
        "pod": f"{metadata['namespace']}/{metadata['name']}",
        "uid": metadata.get("uid", ""),
        "attempt": attempt,
        "step": step,
        "time": now,
        "node": cycle.node,
        "message": cycle.message,
        "nodes": count,
        "evaluated": cycle.evaluated or (0 if cycle.considered is None else len(cycle.considered)),
        "feasible": 0 if cycle.scored is None else len(cycle.scored),
        "ties": cycle.ties,
        "profile": _weights(framework, cycle),
        "scored": _scored(cycle, count),
        "refused": _refused(cycle, count),
    }
    if cycle.nominated:
        found["nominated"] = cycle.nominated
    if cycle.plan.only is not None:
        found["only"] = sorted(cycle.plan.only.names)
    return found


def _weights(framework: Framework, cycle: Cycle) -> list[list[Any]]:
    key = tuple(cycle.normalized)
    found = cycle.plan.weights.get(key)
    if found is None:
        scored = {entry.plugin.name for entry, _ in cycle.plan.scores} | cycle.normalized.keys()
        found = [[entry.plugin.name, entry.weight] for entry in framework.scoring if entry.plugin.name in scored]
        cycle.plan.weights[key] = found
    return found


def _scored(cycle: Cycle, count: int) -> dict[str, Any]:
    rows, total = cycle.scored, cycle.total
    nodes = cycle.snapshot.nodes
    if rows is None:
        return {"nodes": [], "total": [], "plugins": {}}
    if total is None:  # A single node is taken without scoring it.
        return {"nodes": [nodes[row].name for row in rows.tolist()], "total": [], "plugins": {}}
    best = _best(total, cycle.place, ALL if count <= ALL else BEST)
    kept, plan = rows[best], cycle.plan
    plugins = {}
    for entry, _ in plan.scores:
        name = entry.plugin.name
        if name in plan.flat:  # Every node got 0, which was normalised to the same.
            plugins[name] = [[0] * len(kept), [plan.flat[name]] * len(kept)]
            continue
        raw = plan.raw[name][kept].tolist()
        plugins[name] = [raw, cycle.normalized[name][best].tolist() if name in cycle.normalized else raw]
    for name, scores in cycle.normalized.items():
        if name not in plugins:
            plugins[name] = [scores[best].tolist()] * 2
    return {
        "nodes": [nodes[row].name for row in kept.tolist()],
        "total": total[best].tolist(),
        "plugins": plugins,
    }


def _best(total: Numbers, place: int, limit: int) -> Numbers:
    """Places of the best totals, best first, the earlier looked at first, the chosen one at the head."""
    order = (total << 20) - counting(len(total))  # No two alike: the same on every machine.
    order[place] += 1 << 20
    if len(order) > limit:
        best = order.argpartition(len(order) - limit)[-limit:]
        return best[order[best].argsort()[::-1]]
    return order.argsort()[::-1]


def _refused(cycle: Cycle, count: int) -> list[list[Any]]:
    if cycle.plan.denied is not None:
        return [_group(cycle.plan.denied, count, [])]
    if cycle.refusal is None:
        return [_group(cycle.rejections[0], count, [])]
    if len(cycle.rejections) == 1:
        return []
    rows = counting(count) if cycle.considered is None else cycle.considered
    indexes = cycle.refusal[rows]
    nodes, names = cycle.snapshot.nodes, ALL if count <= ALL else NAMES
    found = []
    for index in np.flatnonzero(np.bincount(indexes)).tolist():
        if index:
            there = rows[indexes == index]
            found.append(
                _group(cycle.rejections[index], len(there), [nodes[row].name for row in there[:names].tolist()])
            )
    return sorted(found, key=lambda group: (-group[3], *group[:3]))


def _group(rejection: Rejection, count: int, names: list[str]) -> list[Any]:
    return [rejection.plugin, list(rejection.reasons), rejection.resolvable, count, names]
