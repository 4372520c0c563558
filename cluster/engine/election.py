"""Leader election: of several replicas of a process only one works. A Lease says which.

    leader      renews it every 2 s; can't for 10 s → it no longer leads, and its process ends and is started again
    standby     looks when it would have run out; 15 s without a renewal → takes it over

A real standby polls every 2 s and counts from the poll that saw the last renewal; here that poll's moment is rolled, so
that a standby takes one step in 15 s and not seven. A process that is killed says nothing: its Lease runs out. Renewals
are heartbeats, all on the same even seconds, so that an idle cluster pays for one look.

Mirrors:  client-go/tools/leaderelection (leaderelection.go), resourcelock/leaselock.go
Left out: releasing the Lease at an orderly end: a process that is stopped here is killed; clocks that differ.
Read next: cluster/processes.py, which says which processes there are.
"""

from collections.abc import Callable
from typing import Any

from cluster.engine.cells import Cells
from cluster.engine.clock import SECOND
from cluster.engine.controller import Component, Surroundings
from cluster.objects import Manifest, times
from cluster.objects.errors import ApiError, NotFound

DURATION = 15 * SECOND
RENEW_DEADLINE = 10 * SECOND
RETRY = 2 * SECOND
JITTER = RETRY * 6 // 5  # A standby looks up to so long after the Lease ran out.
RESTART = 1 * SECOND  # Until a process that ended is there again.
NAMESPACE = "kube-system"
LOOK = "look"


class Elector(Component):
    """One replica of `process`. `rows`: who is on and who leads, by name; `lead`, `lose`: begin and end its work."""

    def __init__(
        self,
        around: Surroundings,
        process: str,
        name: str,
        role: str,
        source: str,
        rows: Cells,
        lead: Callable[[str], None],
        lose: Callable[[str], None],
    ) -> None:
        self.process_name, self.rows, self.lead, self.lose = process, rows, lead, lose
        self.role, self.source = role, source
        super().__init__(around, name, f"system:{process}")

    def start(self) -> None:
        self.queue.add(LOOK)

    @property
    def row(self) -> dict[str, Any]:
        """{process, on, id, leads, starts}"""
        return self.rows[self.name]  # type: ignore[no-any-return]

    def process(self, key: str) -> None:
        if self.row["leads"]:
            self._renew()
        else:
            self._try()

    # --- the leader ---------------------------------------------------------------------------------------------

    def _renew(self) -> None:
        now = self.clock.now
        renewed = self.memory.get("renewed", now)
        try:
            kept = self._write(self._lease())
        except ApiError:
            kept = False
        if kept:
            self.memory["renewed"] = now
        elif now - renewed >= RENEW_DEADLINE:
            self._end()
            return
        elif "renewed" not in self.memory:
            self.memory["renewed"] = renewed
        self.queue.beat(LOOK, RETRY - (self.clock.epoch + now) % RETRY)

    def _end(self) -> None:
        """It may no longer lead, so it must not go on: the process ends, and is started again as somebody new."""
        self.rows[self.name] = {**self.row, "leads": False}
        self.lose(self.process_name)
        self.memory.pop("renewed")
        self.rows[self.name] = again(self.row, self.dice.uuid(self.name, self.row["starts"] + 1))
        self.queue.add_after(LOOK, RESTART)

    # --- a standby ----------------------------------------------------------------------------------------------

    def _try(self) -> None:
        """Take the Lease if nobody has it, or whoever has it did not renew it for so long."""
        try:
            lease = self._lease()
            wait = self._time_left(lease)
            if wait > 0:
                self.queue.add_after(LOOK, wait + self.dice.between(0, JITTER, "look", self.name, self.clock.now))
                return
            if self._write(lease):
                self._begin()
                return
        except ApiError:
            pass
        self.queue.add_after(LOOK, RETRY + self.dice.between(0, JITTER - RETRY, "retry", self.name, self.clock.now))

    def _time_left(self, lease: Manifest | None) -> int:
        """Until the Lease, as this process saw it, has run out; 0: it may be taken."""
        if lease is None or lease["spec"].get("holderIdentity") in (None, "", self.row["id"]):
            return 0
        renewed, version = lease["spec"].get("renewTime"), lease["metadata"]["resourceVersion"]
        if not renewed:
            return 0
        seen = times.parse(renewed) + self.dice.between(0, RETRY, "seen", self.name, version)
        return max(0, seen + int(lease["spec"].get("leaseDurationSeconds") or 0) * SECOND - self.clock.unix())

    def _begin(self) -> None:
        self.memory["renewed"] = self.clock.now
        self.rows[self.name] = {**self.row, "leads": True}
        self.lead(self.process_name)
        self.announce()
        self.queue.beat(LOOK, RETRY)

    def announce(self) -> None:
        lease = self._lease()
        if lease is not None:
            self.recorder.event(lease, "Normal", "LeaderElection", f"{self.row['id']} became leader")

    # --- the Lease ----------------------------------------------------------------------------------------------

    def _lease(self) -> Manifest | None:
        try:
            return self.client.get("Lease", NAMESPACE, self.process_name)
        except NotFound:
            return None

    def _write(self, lease: Manifest | None) -> bool:
        """Renew or take it. False: somebody else holds it, who did not let it run out. Errors: ApiError."""
        now = self.clock.micro_stamp()
        mine = {"holderIdentity": self.row["id"], "leaseDurationSeconds": DURATION // SECOND}
        if lease is None:
            metadata = {"name": self.process_name, "namespace": NAMESPACE}
            spec = {**mine, "acquireTime": now, "renewTime": now, "leaseTransitions": 0}
            self.client.create(
                {"kind": "Lease", "apiVersion": "coordination.k8s.io/v1", "metadata": metadata, "spec": spec}
            )
            if self.row["leads"]:
                self.announce()
            return True
        spec = {**lease["spec"], **mine, "renewTime": now}
        if lease["spec"].get("holderIdentity") != self.row["id"]:
            if self._time_left(lease) > 0:
                return False
            spec |= {"acquireTime": now, "leaseTransitions": (lease["spec"].get("leaseTransitions") or 0) + 1}
        self.client.update({**lease, "spec": spec})
        return True


def again(row: dict[str, Any], uuid: str) -> dict[str, Any]:
    """The row of a process that was started once more: it calls itself something else."""
    machine = row["id"].partition("_")[0]
    return {**row, "on": True, "leads": False, "starts": row["starts"] + 1, "id": f"{machine}_{uuid}"}
