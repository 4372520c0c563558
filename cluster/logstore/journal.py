"""What the components themselves wrote: a fold over what is committed, from a moment to another one.

    revisions          who wrote what in which step       -> voices/, by who wrote it
    physical events    machines, processes, members       -> voices/, by their kind
    inputs             requests of outsiders              -> kube-apiserver

Nothing is kept: whoever asks for the same span of time again gets the same lines, as long as the revisions are kept
(an hour of simulated time, cluster/etcd/compaction.py) and, for what the scheduler counted, its verdict. A stopped
component writes nothing, so nothing is said of it.

    log agents ship it (agent.py)        the page shows it (dashboard/logsearch.py)

Read next: voices/__init__.py.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

import orjson

from cluster.engine.clock import monotonic
from cluster.logstore import klog, store
from cluster.logstore.store import Rows
from cluster.logstore.voices import SPEAKERS, WITNESSES, apiserver, etcd, kubelet, processes
from cluster.logstore.voices.saying import Change, Said, Step
from cluster.models import REVISION_BITS
from cluster.objects import Manifest
from cluster.processes import COMPONENTS, HOST

PORTION = 500  # Revisions that are read at once.
MOST_LINES = 20_000  # Of one reading; the rest is for the next one.
KUBELET_PID = 812  # It is no container, so it is not the first process that it sees.
HEARTBEATS = "/registry/leases/kube-node-lease/%"  # Keys like this say nothing.
PROCESS_OF = {name: process for process, names in COMPONENTS.items() for name in names}
COMPARED = ("pods", "minions", "persistentvolumes", "persistentvolumeclaims")  # What is compared with what it was.
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Written(NamedTuple):
    """One entry. `at`: microseconds since t = 0; `node`: the machine; `text`: may have several lines."""

    at: int
    component: str
    node: str
    text: str


class Row(NamedTuple):
    """One revision, as it is read."""

    id: int
    key: str
    verb: str
    value: bytes
    previous: int
    actor: str
    step: int
    sim_time: int


def labels_of(component: str, node: str) -> str:
    """The stream of a component: on nodes from the journal of its service, else from a static pod."""
    labels = {"job": "fluentbit", "component": component, "node": node}
    if component != kubelet.COMPONENT:
        pod = {"namespace": "kube-system", "pod": f"{component}-{node}", "container": component, "stream": "stderr"}
        labels |= pod
    return store.labels_of(labels)


class Journal:
    """All components of a cluster. `rows`: answers SQL; `epoch`: microseconds since 1970 at t = 0."""

    def __init__(self, rows: Rows, cluster: int, epoch: int) -> None:
        self._rows, self._cluster, self._epoch = rows, cluster, epoch
        self._bodies: dict[int, bytes] = {}  # Of the portion that is read, and what its revisions replaced.
        self._leaders: dict[str, str] = {}
        self._found: dict[str, tuple[int, int]] = {}  # Table -> a moment, and the first row that is not before it.

    def read(self, start: int, end: int, deadline: float) -> tuple[list[Written], int]:
        """Entries of [start, until), in order of time, and `until`: `end`, or less if time ran out.

        `deadline`: on engine.clock.monotonic; at least one portion is read.
        """
        found, until, carry = list[Written](), start, list[Row]()
        after = self._first("cluster_revision", start) - 1
        self._leaders = {process: self._leader(process, after) for process in processes.GREETINGS}
        while until < end:
            portion = self._portion(after, end)
            rows, is_last = carry + portion, len(portion) < PORTION
            after = portion[-1].id if portion else after
            until = end if is_last else rows[-1].sim_time
            carry = [row for row in rows if row.sim_time >= until]
            found += self._said([row for row in rows if row.sim_time < until])
            if not is_last and until > start and (monotonic() > deadline or len(found) > MOST_LINES):
                break
        found += [*self._witnessed(start, until), *self._asked(start, until)]
        found.sort(key=lambda entry: entry.at)
        return found, until

    # --- reading ------------------------------------------------------------------------------------------------

    def _portion(self, after: int, end: int) -> list[Row]:
        rows = self._rows(
            "SELECT id, key, verb, value, previous, actor, step, sim_time FROM cluster_revision"
            " WHERE id > %s AND id < %s AND key NOT LIKE %s ORDER BY id LIMIT %s",
            [after, (self._cluster + 1) << REVISION_BITS, HEARTBEATS, PORTION],
        )
        found = [Row(*row)._replace(value=bytes(row[3])) for row in rows]
        self._bodies = {row.id: row.value for row in found}
        wanted = [row.previous for row in found if row.previous and row.key.split("/", 3)[2] in COMPARED]
        missing = [identity for identity in wanted if identity not in self._bodies]
        for place in range(0, len(missing), PORTION):
            part = missing[place : place + PORTION]
            marks = ", ".join(["%s"] * len(part))
            before = self._rows(f"SELECT id, value FROM cluster_revision WHERE id IN ({marks})", part)
            self._bodies |= {identity: bytes(value) for identity, value in before}
        return [row for row in found if row.sim_time < end]

    def _first(self, table: str, moment: int) -> int:
        """The number of the first row that is not before a moment: rows are in order of time."""
        low, high = self._cluster << REVISION_BITS, (self._cluster + 1) << REVISION_BITS
        return self._bisected(table, moment, low, f"id >= {low} AND id < {high}", "id")

    def _bisected(self, table: str, moment: int, low: int, mine: str, number: str) -> int:
        """By `number`, from `low` on; from what was found last if that is earlier, since readers go on in time."""
        before, found = self._found.get(table, (0, low))
        ahead = found if before <= moment else low
        last = self._rows(f"SELECT MAX({number}) FROM {table} WHERE {mine}", [])[0][0]
        behind = int(last) + 1 if last is not None else low
        statement = f"SELECT {number}, sim_time FROM {table} WHERE {mine} AND {number} >= %s ORDER BY {number} LIMIT 1"
        while ahead < behind:
            middle = (ahead + behind) // 2
            rows = self._rows(statement, [middle])
            if rows and rows[0][1] < moment:
                ahead = int(rows[0][0]) + 1
            else:
                behind = middle
        self._found[table] = (moment, ahead)
        return ahead

    def _look(self, row: int) -> bytes | None:
        if row in self._bodies:
            return self._bodies[row]
        found = self._rows("SELECT value FROM cluster_revision WHERE id = %s", [row])
        return bytes(found[0][0]) if found else None

    def _find(self, key: str, row: int) -> Manifest | None:
        """An object as it was at a revision; None: it was not there, or nobody knows any more."""
        found = self._rows(
            "SELECT verb, value FROM cluster_revision WHERE cluster_id = %s AND key = %s AND id <= %s"
            " ORDER BY id DESC LIMIT 1",
            [self._cluster, key, row],
        )
        return orjson.loads(bytes(found[0][1])) if found and found[0][0] != "delete" else None

    def _verdict(self, uid: str) -> dict[str, Any] | None:
        found = self._rows("SELECT body FROM cluster_verdict WHERE id = %s", [f"{self._cluster}:{uid}"])
        return orjson.loads(bytes(found[0][0])) if found else None

    def _leader(self, process: str, row: int) -> str:
        """On which machine the replica ran that led at a revision."""
        lease = self._find(processes.LEASES + process, row) or {}
        return processes.machine_of((lease.get("spec") or {}).get("holderIdentity", "")) or HOST

    # --- saying -------------------------------------------------------------------------------------------------

    def _said(self, rows: list[Row]) -> Iterator[Written]:
        for (_step, actor, at), group in groupby(rows, key=lambda row: (row.step, row.actor, row.sim_time)):
            changes = [Change(row.id, row.key, row.verb, row.value, row.previous, self._look) for row in group]
            step = Step(at, actor, changes, self._find, self._verdict)
            component, node = self._writer(actor)
            for said in SPEAKERS[component](step) if component in SPEAKERS else ():
                if said.component and said.component in self._leaders:
                    self._leaders[said.component] = said.node
                yield self._entry(at, said, component, node)
            for said in apiserver.speak(step):
                yield self._entry(at, said, apiserver.COMPONENT, HOST)

    def _writer(self, actor: str) -> tuple[str, str]:
        """The component and the machine of who wrote."""
        process, slash, rest = actor.partition("/")
        if slash:
            return ("elector", "") if process in COMPONENTS else (process, rest)
        component = PROCESS_OF.get(actor, actor)
        return component, self._leaders.get(component, HOST)

    def _witnessed(self, start: int, end: int) -> Iterator[Written]:
        """Of what happened to machines, processes and members."""
        rows = self._rows(
            "SELECT kind, subject, body, sim_time FROM cluster_physicalevent"
            " WHERE id >= %s AND id < %s AND sim_time < %s ORDER BY id",
            [self._first("cluster_physicalevent", start), (self._cluster + 1) << REVISION_BITS, end],
        )
        for kind, subject, text, at in rows:
            if kind not in WITNESSES:
                continue
            body = orjson.loads(text)
            if kind.startswith("etcd-"):
                body["id"] = self._member(subject).get("id", subject)
            for said in WITNESSES[kind](kind, subject, body):
                yield self._entry(at, said, said.component, self._leaders.get(said.component, HOST))

    def _member(self, name: str) -> dict[str, Any]:
        found = self._rows("SELECT body FROM cluster_member WHERE id = %s", [f"{self._cluster}:{name}"])
        return orjson.loads(bytes(found[0][0])) if found else {}

    def _asked(self, start: int, end: int) -> Iterator[Written]:
        """Of what outsiders asked kube-apiserver, and was executed."""
        low = self._bisected("cluster_input", start, 0, f"cluster_id = {self._cluster}", "ordinal")
        rows = self._rows(
            "SELECT id, request, status, sim_time FROM cluster_input"
            " WHERE cluster_id = %s AND ordinal >= %s AND sim_time < %s ORDER BY ordinal",
            [self._cluster, low, end],
        )
        for identity, request, status, at in rows:
            asked = orjson.loads(bytes(request))
            if asked.get("type") == "api":
                yield self._entry(at, apiserver.asked(asked, identity, status), apiserver.COMPONENT, HOST)

    def _entry(self, at: int, said: Said, component: str, node: str) -> Written:
        component, node = said.component or component, said.node or node
        moment = EPOCH + timedelta(microseconds=self._epoch + at)
        if component == etcd.COMPONENT:
            text = klog.zap("info", moment, said.source, said.message, said.values)
            return Written(at, component, etcd.machine_of(node), text)
        pid = KUBELET_PID if component == kubelet.COMPONENT else klog.PID
        if said.plain:
            return Written(at, component, node, klog.plain(said.severity, moment, said.source, said.message, pid))
        text = klog.line(said.severity, moment, said.source, said.message, said.values, pid)
        return Written(at, component, node, text)
