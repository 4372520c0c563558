"""Which containers that are gone still concern a log agent: it had their files open when they were removed.

Their records are kept in the commit that deletes them, so that a crash loses no line that would have been shipped.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from cluster.apiserver.commits import DepartedRow
from cluster.engine.cells import Cells
from cluster.network import Site
from cluster.objects import Manifest
from cluster.objects.pods import uid_at_node

PROGRAM = "fluent-bit"


def found(site: Site, containers: Cells, pods_on: Callable[[str], Iterable[Manifest]]) -> list[DepartedRow]:
    """Containers that were removed in this turn from nodes where an agent runs. `pods_on`: pods of a node."""
    gone = {key: record for key, record in containers.gone.items() if record.get("program") and key not in containers}
    nodes = dict.fromkeys(record["node"] for record in gone.values())
    watched = {node for node in nodes if node in agents(site, pods_on(node))}
    kept = [(key, record) for key, record in gone.items() if record["node"] in watched]
    return [DepartedRow(key, record["node"], site.now, orjson.dumps(record)) for key, record in kept]


def agents(site: Site, pods: Iterable[Manifest]) -> dict[str, dict[str, Any]]:
    """Node -> the record of the agent's container that runs there in one of these pods."""
    running = {}
    for pod in pods:
        if not any(PROGRAM in container["image"] for container in pod["spec"]["containers"]):
            continue
        machine = site.machine(pod["spec"].get("nodeName", ""))
        for record in site.records(uid_at_node(pod)) if machine is not None and machine["power"] else ():
            if _runs(record):
                running[record["node"]] = record
    return running


def all_agents(site: Site, records: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same of all nodes. `records`: of all containers, which are faster to look through than pods are."""
    found = {record["node"]: record for record in records if _runs(record)}
    return {node: record for node, record in found.items() if (site.machine(node) or {}).get("power")}


def _runs(record: dict[str, Any]) -> bool:
    return record["program"] == PROGRAM and record["started"] is not None and record["ended"] is None
