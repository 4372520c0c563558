"""What `crictl` shows on a node: sandboxes, containers, images, and the calls behind them, from committed rows.

Mirrors:  crictl 1.37 (ps, pods, images, inspect: columns and order)
"""

from collections.abc import Iterable
from typing import Any

from cluster.models import Cluster
from cluster.objects import times
from dashboard import observed

SHORT = 13  # Digits of an id that crictl shows.
Row = tuple[str, ...]
Record = dict[str, Any]


def records(cluster: Cluster, node: str) -> list[Record]:
    """Sandboxes and containers of one node, newest first."""
    found = [each for each in observed.records(cluster) if each["node"] == node]
    return sorted(found, key=lambda each: -each["created"])


def ago(cluster: Cluster, moment: int) -> str:
    """`2 minutes ago`"""
    seconds = max(cluster.sim_now - moment, 0) // 1_000_000
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "Less than a second ago"


def state(record: Record, now: int) -> str:
    if record["ended"] is not None:
        return "Exited"
    return "Running" if record["started"] is not None and record["started"] <= now else "Created"


def ps(cluster: Cluster, found: Iterable[Record], everything: bool) -> list[Row]:
    """CONTAINER IMAGE CREATED STATE NAME ATTEMPT POD-ID POD NAMESPACE"""
    found = list(found)
    sandboxes = {each["uid"]: each["id"] for each in found if "program" not in each}
    return [
        (each["id"][:SHORT], each["image"], ago(cluster, each["created"]), state(each, cluster.sim_now), each["name"],
         str(each["attempt"]), sandboxes.get(each["uid"], "")[:SHORT], each["pod"], each["namespace"])
        for each in found
        if "program" in each and (everything or each["ended"] is None)
    ]  # fmt: skip


def pods(cluster: Cluster, found: Iterable[Record]) -> list[Row]:
    """POD-ID CREATED STATE NAME NAMESPACE ATTEMPT"""
    return [
        (each["id"][:SHORT], ago(cluster, each["created"]), "Ready" if each["ended"] is None else "NotReady",
         each["pod"], each["namespace"], "0")
        for each in found
        if "program" not in each
    ]  # fmt: skip


def images(machine: Record) -> list[Row]:
    """IMAGE TAG IMAGE-ID SIZE"""
    rows: list[Row] = []
    for name, image in sorted((machine.get("images") or {}).items()):
        repository, _, tag = name.rpartition(":")
        size = image["size"]
        shown = f"{size / 1_000_000:.3g}MB" if size >= 1_000_000 else f"{size / 1000:.3g}kB"
        rows.append((repository, tag, image["pinned"].rpartition("sha256:")[2][:SHORT], shown))
    return rows


def find(found: Iterable[Record], identity: str) -> Record | None:
    """The container or sandbox whose id begins so."""
    return next((each for each in found if identity and each["id"].startswith(identity)), None)


def inspected(cluster: Cluster, record: Record) -> dict[str, Any]:
    """What `crictl inspect` says of a container, or inspectp of a sandbox."""

    def stamp(moment: int | None) -> str:
        return times.rfc3339_micro(cluster.epoch + moment) if moment is not None else ""

    status: dict[str, Any] = {"id": record["id"], "metadata": {"name": record.get("name", record["pod"])}}
    labels = {
        "io.kubernetes.pod.name": record["pod"],
        "io.kubernetes.pod.namespace": record["namespace"],
        "io.kubernetes.pod.uid": record["uid"],
    }
    if "program" not in record:
        network = {"ip": record["ip"], "additionalIps": []}
        state_ = "SANDBOX_READY" if record["ended"] is None else "SANDBOX_NOTREADY"
        return {"status": {**status, "state": state_, "createdAt": stamp(record["created"]), "network": network,
                           "labels": labels}}  # fmt: skip
    labels["io.kubernetes.container.name"] = record["name"]
    status["metadata"]["attempt"] = record["attempt"]
    status |= {
        "state": f"CONTAINER_{state(record, cluster.sim_now).upper()}",
        "createdAt": stamp(record["created"]),
        "startedAt": stamp(record["started"]),
        "finishedAt": stamp(record["ended"]),
        "exitCode": record["code"] or 0,
        "image": {"image": record["image"]},
        "reason": record["reason"],
        "message": record["message"],
        "labels": labels,
        "resources": {"linux": {"memoryLimitInBytes": str(record["memory"] or 0)}},
    }
    return {"status": status, "info": {"config": {"command": record["argv"], "envs": record["env"]}}}
