"""What containers print and use, from committed records, for the panels and for the bars on the map."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from cluster.flows import figures
from cluster.kubelet import committed, server, serving, static_pods
from cluster.kubelet.committed import Printed, Record
from cluster.models import REVISION_BITS, Cluster, Container, Disk, Machine, PhysicalEvent
from cluster.objects import Manifest, pods

# What happens to a machine, and whether it is on from then.
SWITCHES = {"node-add": True, "power-on": True, "power-off": False, "node-remove": False, "terminate": False}


def records(cluster: Cluster, uid: str = "") -> list[Record]:
    """Container and sandbox records of one pod, or of all."""
    low = f"{cluster.pk}:{uid}"
    rows = Container.objects.filter(pk__gte=low, pk__lt=low[:-1] + chr(ord(low[-1]) + 1)).values_list("body", flat=True)
    return [orjson.loads(bytes(body)) for body in rows]


def tail(cluster: Cluster, uids: set[str], count: int) -> list[Printed]:
    """The last lines of these pods, up to the committed horizon."""
    if len(uids) == 1:
        chosen = records(cluster, next(iter(uids)))
    else:
        chosen = [record for record in records(cluster) if record["uid"] in uids]
    return committed.tail(chosen, count, cluster.sim_now, cluster.epoch)


def usage_by_pod(cluster: Cluster) -> dict[str, tuple[int, int]]:
    """Pod uid to (millicores, MiB) at this moment; only pods of which something runs."""
    found = defaultdict(list)
    for record in committed.containers(records(cluster)):
        if record["started"] is not None and record["ended"] is None:
            found[record["uid"]].append(record)
    return {uid: committed.used(group, cluster.sim_now, cluster.epoch) for uid, group in found.items()}


def running(cluster: Cluster) -> list[Record]:
    """The containers that run now."""
    found = committed.containers(records(cluster))
    return [record for record in found if record["started"] is not None and record["ended"] is None]


def requests_by_pod(records: Iterable[Record]) -> dict[str, list[float]]:
    """`namespace/name` to [requests a second, per cent of what it can], of pods that load generators ask now."""
    found: dict[str, list[float]] = {}
    for record in records:
        queue = serving.queue_of(record) if record.get("load") else None
        if queue is not None and queue.taken:
            key = f"{record['namespace']}/{record['pod']}"
            rate, part = found.get(key, (0.0, 0.0))
            busy = 100 * queue.taken / queue.server.capacity
            found[key] = [figures.shown(round((rate + queue.taken) * serving.MILLI)), max(part, round(busy))]
    return found


def usage_by_node(cluster: Cluster, powered: Iterable[str], running: Iterable[Record]) -> dict[str, list[int]]:
    """Node to [millicores, MiB] at this moment, of the machines that are on. `running`: the containers."""
    found: dict[str, list[Record]] = defaultdict(list)
    for record in running:
        found[record["node"]].append(record)
    return {n: list(committed.used_by_machine(n, found[n], cluster.sim_now, cluster.epoch)) for n in powered}


def is_on(cluster: Cluster, node: str) -> Callable[[int], bool]:
    """Was the machine under a node on at a moment?"""
    first, last = cluster.pk << REVISION_BITS, (cluster.pk + 1) << REVISION_BITS
    switched = PhysicalEvent.objects.filter(id__gte=first, id__lt=last, subject=node, kind__in=SWITCHES)
    changes = list(switched.order_by("id").values_list("sim_time", "kind"))
    times = [at for at, _ in changes]

    def on(moment: int) -> bool:
        before = bisect_right(times, moment)
        return before > 0 and SWITCHES[changes[before - 1][1]]

    return on


def machine(cluster: Cluster, node: str) -> dict[str, Any]:
    """The machine under a node; one without power if there is none any more."""
    body = Machine.objects.filter(pk=f"{cluster.pk}:{node}").values_list("body", flat=True).first()
    return {"power": False} if body is None else orjson.loads(bytes(body))


def unreachable(cluster: Cluster, pod: Manifest) -> str:
    """Why `kubectl logs` fails: the API server can't reach the kubelet of a dead node. Empty: it does."""
    node = pod["spec"].get("nodeName", "")
    if not node:
        return ""
    error = server.unreachable(pod, pods.containers(pod)[0]["name"], machine(cluster, node))
    return "" if error is None else str(error)


def manifests(cluster: Cluster, node: str) -> dict[str, str]:
    """Path -> text of the files from which a machine's kubelet runs static pods."""
    key = f"{cluster.pk}:{static_pods.disk_of(node)}"
    body = Disk.objects.filter(pk=key).values_list("body", flat=True).first()
    return static_pods.files(None if body is None else orjson.loads(bytes(body)))
