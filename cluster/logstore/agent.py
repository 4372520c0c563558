"""The log agent: reads the files of its node's containers, and its kubelet's journal, and ships them to the store.

    a node is read     while a container of fluent-bit runs there
    its lines arrive   while the Host of its [OUTPUT] can be resolved and reached from there, and is a loki
    else               it keeps its positions, on the node's disk, and reads on from there later

The machines of the control plane are no nodes. What its processes write leaves with the first agent of a look that
reaches the store.

Position and lines are one transaction. What a pod's removal takes away goes on being read if the agent had the files
open (departures.py), but not by an agent that was started after that. A node that comes back is read from where its
agent stopped; of one that doesn't, what was not shipped is lost.

Mirrors:  fluent-bit plugins in_tail (DB, Exclude_Path, Read_from_Head), in_systemd, filter_kubernetes, out_loki
Left out: other keys of its configuration; a configuration that changed counts at once, not when the agent starts
          again; Mem_Buf_Limit (files are read no further than they can be shipped); labels other than the usual ones.
"""

from collections import defaultdict
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple
from zlib import crc32

import orjson

from cluster import network
from cluster.apiserver import commits
from cluster.engine.clock import SECOND, monotonic
from cluster.kubelet import committed
from cluster.logstore import departures, store
from cluster.logstore.ahead import Ahead
from cluster.logstore.journal import Written
from cluster.logstore.journal import labels_of as component_labels
from cluster.logstore.unshipped import CONTROL_PLANE, Unshipped
from cluster.models import Departed, LogPosition
from cluster.network import Site
from cluster.objects import Manifest, meta, resolvconf

LOKI = "loki"  # The program.
KUBELET = "kubelet"
COMPONENTS = ("kube-proxy",)  # Components of Kubernetes that are programs in pods.
WINDOW = 300 * SECOND  # What is read of a node at once.
ROUND = 60  # Looks in which every node has its turn, however little time there is.
MOST_LINES = 20_000  # Of one look; the rest waits for the next one.
FILE = "fluent-bit.conf"
JOURNAL = "journal/"  # Before a node's name: its position in its kubelet's journal.
TIDY = 60  # Looks after which containers that are gone are forgotten.
STALE = 300 * SECOND  # A position that is older is written although nothing was read.

Record = dict[str, Any]
Streams = dict[str, list[store.Timed]]
Removed = list[tuple[int, Record]]


class Config(NamedTuple):
    """Of fluent-bit's configuration what is honoured."""

    host: str = ""
    port: int = 3100
    excluded: tuple[str, ...] = ()
    journal: bool = False


class Agents:
    """All agents of a cluster. Those that were looked at the longest ago come first, reach they the store or not."""

    def __init__(self, cluster: int, owner_epoch: int) -> None:
        self._cluster, self._epoch = cluster, owner_epoch
        self._looks = 0
        self._silent: dict[str, int] = {}  # Node -> up to when nothing was printed after its position: not worth a row.
        self._looked: dict[str, int] = {}  # Node -> in which look it had its turn.
        self._written: dict[str, int] | None = None  # Positions as they are stored; None: not yet read.
        self._ahead, self._unshipped = Ahead(), Unshipped(cluster)

    def gather(self, site: Site, deadline: float) -> None:
        """Ship what was printed up to `site.now`. Errors: commits.Fenced, django.db.OperationalError."""
        everywhere = list(site.all_records())
        running = departures.all_agents(site, everywhere)
        if not running:
            return
        before = self._positions()
        records = _by_node(everywhere, running)
        streams: Streams = defaultdict(list)
        after: dict[str, int] = {}
        read: set[str] = set()  # Positions behind which something was printed.
        reached_by: dict[str, Config] = {}
        departed = self._departed()
        self._looks += 1
        if self._looks % TIDY == 0:
            self._ahead.keep_only({record["id"] for each in records.values() for record in each})
        self._looked = {node: self._looked.get(node, 0) for node in running}
        lines, least = 0, -(-len(running) // ROUND)
        for count, node in enumerate(sorted(running, key=lambda node: (self._looked[node], node))):
            if (count >= least and monotonic() > deadline) or lines > MOST_LINES:
                break
            self._looked[node] = self._looks
            config = reached(site, running[node], self._looks)
            if config is not None:
                here = [*records[node], *(each for at, each in departed[node] if at >= running[node]["started"])]
                start = self._start(node, before)
                after[node], number = _read(self._ahead, here, config, start, site, deadline, streams)
                lines += number
                read |= {node} if departed[node] or number else set()
                reached_by[node] = config
        journals, shipped = self._take_journals(site, running, reached_by, before, streams)
        after, read = after | journals, read | shipped
        worth = {key: at for key, at in after.items() if key in read or at - before.get(key, 0) > STALE}
        if streams or read:
            try:
                self._write(streams, worth, departed, site.now)
            except Exception:
                self._unshipped.restart()
                self._written = None
                raise
            self._written = before | worth
        self._silent |= after

    def _positions(self) -> dict[str, int]:
        """By node, or JOURNAL and node. Nobody else writes them while the epoch lasts."""
        if self._written is None:
            prefix = f"{self._cluster}:"
            known = LogPosition.objects.filter(pk__gte=prefix, pk__lt=f"{self._cluster};").values_list("pk", "at")
            self._written = {key.removeprefix(prefix): at for key, at in known}
        return self._written

    def _start(self, key: str, before: dict[str, int]) -> int:
        return max(before.get(key, 0), self._silent.get(key, 0))

    def _take_journals(
        self, site: Site, nodes: Iterable[str], configs: dict[str, Config], before: dict[str, int], streams: Streams
    ) -> tuple[dict[str, int], set[str]]:
        """Add what components wrote: kubelets whose agents reach the store, and the control plane with any of them.

        Returns positions in the journals that were read, by their keys, and of which there was something to ship.
        """
        owners = (*nodes, CONTROL_PLANE)
        starts = {owner: self._start(JOURNAL + owner, before) for owner in owners}
        there = {node for node, config in configs.items() if config.journal} | ({CONTROL_PLANE} if configs else set())
        taken, after = self._unshipped.take(site, starts, there)
        for owner, pile in sorted(taken.items()):
            config = configs.get(owner) or next(iter(configs.values()))
            for entry in pile:
                if not is_left_out(entry, config):
                    labels = component_labels(entry.component, entry.node)
                    streams[labels] += [(entry.at, _storable(text)) for text in entry.text.split("\n")]
        return {JOURNAL + owner: at for owner, at in after.items()}, {
            JOURNAL + owner for owner in taken if taken[owner]
        }

    def _departed(self) -> dict[str, Removed]:
        """Node -> when containers were removed from it, and their last records."""
        found: dict[str, Removed] = defaultdict(list)
        rows = Departed.objects.filter(pk__gte=f"{self._cluster}:", pk__lt=f"{self._cluster};").order_by("pk")
        for node, at, body in rows.values_list("node", "at", "body"):
            found[node.partition(":")[2]].append((at, orjson.loads(bytes(body))))
        return found

    def _write(self, streams: Streams, positions: dict[str, int], departed: dict[str, Removed], now: int) -> None:
        with commits.as_owner(self._cluster, self._epoch):
            if streams:
                store.append(self._cluster, streams, now)
            keys = {f"{self._cluster}:{node}": at for node, at in positions.items()}
            rows = [LogPosition(pk=key, at=at) for key, at in keys.items()]
            LogPosition.objects.bulk_create(
                rows, batch_size=500, update_conflicts=True, unique_fields=["id"], update_fields=["at"]
            )
            for node in positions:
                if departed[node]:
                    key = f"{self._cluster}:{node}"
                    Departed.objects.filter(node=key, at__lt=keys[key]).delete()


def _by_node(records: Iterable[Record], nodes: Iterable[str]) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {node: [] for node in nodes}
    for record in records:
        if record["node"] in found:
            found[record["node"]].append(record)
    return found


# --- the way to the store ---------------------------------------------------------------------------------------


def reached(site: Site, agent: Record, attempt: int) -> Config | None:
    """The configuration of an agent that has a store it can reach now; else None.

    `attempt`: another one may take another endpoint of a Service, so that one that is lost is not all.
    """

    def roll(sides: int, about: str) -> int:
        return crc32(f"{agent['node']} {attempt}".encode()) % sides

    pod = site.get("Pod", agent["namespace"], agent["pod"])
    config = config_of(site, pod) if pod is not None else None
    if pod is None or config is None or not config.host:
        return None
    source, address = network.source_of(pod), config.host
    if not resolvconf.is_address(address):
        found, _ = network.resolved(site, source, address, network.resolver_of(pod), roll)
        if found is None:
            return None
        address = found
    way = network.trace(site, source, address, config.port, "TCP", roll)
    arrived = way.fate == network.CONNECTED and way.record is not None and way.record["program"] == LOKI
    return config if arrived else None


def config_of(site: Site, pod: Manifest) -> Config | None:
    """What the ConfigMap says that an agent's pod mounts; None: it mounts none that has a FILE."""
    for volume in pod["spec"].get("volumes") or ():
        name = (volume.get("configMap") or {}).get("name", "")
        found = site.get("ConfigMap", meta.namespace(pod), name) if name else None
        if found is not None and FILE in (found.get("data") or {}):
            return parsed(found["data"][FILE])
    return None


@lru_cache(maxsize=64)
def parsed(text: str) -> Config:
    """Read fluent-bit's classic format. The last [OUTPUT] of loki and all [INPUT]s count; keys have any case.

    >>> parsed("[INPUT]\\n  Exclude_Path /a/*.log,/b*\\n[OUTPUT]\\n  Name loki\\n  Host loki\\n")
    Config(host='loki', port=3100, excluded=('/a/*.log', '/b*'), journal=False)
    """
    sections: list[tuple[str, dict[str, str]]] = []
    for line in map(str.strip, text.split("\n")):
        if line.startswith("["):
            sections.append((line.strip("[]").upper(), {}))
        elif line and not line.startswith("#") and sections:
            key, _, value = line.partition(" ")
            sections[-1][1][key.lower()] = value.strip()
    host, port, excluded, journal = "", "", list[str](), False
    for section, keys in sections:
        if section == "INPUT":
            journal = journal or keys.get("name") == "systemd"
            excluded += [part.strip() for part in keys.get("exclude_path", "").split(",") if part.strip()]
        if section == "OUTPUT" and keys.get("name") == LOKI:
            host, port = keys.get("host", "127.0.0.1"), keys.get("port", "")
    return Config(host, int(port) if port.isdecimal() and len(port) < 6 else 3100, tuple(excluded), journal)


# --- reading ----------------------------------------------------------------------------------------------------


def _read(
    ahead: Ahead, records: Iterable[Record], config: Config, start: int, site: Site, deadline: float, streams: Streams
) -> tuple[int, int]:
    """Add what these containers printed since `start`: (up to when, how many lines). At least one window, if any."""
    kept = [record for record in records if not is_excluded(record, config)]
    at, count = start, 0
    while at < site.now and count <= MOST_LINES and (at == start or monotonic() <= deadline):
        until = min(at + WINDOW, site.now)
        mine: Streams = defaultdict(list)
        for record in kept:
            since = at if site.now - at <= WINDOW else max(at, committed.kept_since(record, site.now, site.epoch))
            for line in ahead.printed(record, since, until, site.epoch):
                labels = labels_of(record, line.stream)
                mine[labels] += [(line.at, _storable(text)) for text in line.text.split("\n")]
        for labels, lines in sorted(mine.items()):
            streams[labels] += sorted(lines, key=itemgetter(0))  # Two containers of one name may have run.
            count += len(lines)
        at = until
    return at, count


def labels_of(record: Record, stream: str) -> str:
    """The stream that a container's lines belong to."""
    labels = {"job": "fluentbit", "namespace": record["namespace"], "pod": record["pod"]}
    if record["program"] in COMPONENTS:
        labels["component"] = record["program"]
    return store.labels_of({**labels, "container": record["name"], "node": record["node"], "stream": stream})


def is_left_out(entry: Written, config: Config) -> bool:
    """Does Exclude_Path say that the file of this process of the control plane is not read?"""
    if entry.component == KUBELET:
        return False
    pod = f"{entry.component}-{entry.node}"
    return is_excluded({"pod": pod, "namespace": "kube-system", "name": entry.component, "id": "0"}, config)


def is_excluded(record: Record, config: Config) -> bool:
    """Does Exclude_Path say that the file of this container is not read?"""
    file = f"/var/log/containers/{record['pod']}_{record['namespace']}_{record['name']}-{record['id']}.log"
    return any(fnmatchcase(file, pattern) for pattern in config.excluded)


def _storable(text: str) -> str:
    """Without what a database's text can't hold."""
    return text.replace("\0", "\ufffd").encode(errors="replace").decode()
