"""Probes: is a container up (startup), does it still work (liveness), may it be sent requests (readiness)?

A probe is tried at fixed instants: `initialDelaySeconds` after the container's start, at the earliest a second, and
then every `periodSeconds`. What it finds is what the program does at that instant: httpGet, tcpSocket and grpc ask the
container's port, exec runs a command among its files and processes.

A real kubelet asks for ever. Here a probe that is content *sleeps* until its answer could be another one: programs say
when they will answer differently (`Program.next_change`), and whoever writes a file into the container wakes its pod.
So ten thousand healthy pods cost nothing. Failing probes, and all exec probes, are tried every period, as in real life.

    state of a probe   {"next": when to try again, None: asleep; "good": the verdict, None: none yet;
                        "run": tries in a row that said otherwise; "session", "until": an exec that still runs}

Mirrors:  kubernetes/pkg/kubelet/prober (worker.go, prober.go), pkg/probe/{http,tcp,exec,grpc}
Left out: the phase of a worker's ticks, which begins with the pod; redirects to other hosts; `ProbeWarning`; a file
          that comes into a running container by a ConfigMap does not wake a probe that sleeps.
Read next: containers.py, which kills what does not live.
"""

import re
from typing import Any, NamedTuple, Protocol

from cluster.engine.clock import SECOND, Clock
from cluster.objects import Manifest, meta, pods
from cluster.runtime.containers import Record

KINDS = ("startup", "liveness", "readiness")
EARLIEST = SECOND
CONTROL = re.compile(r"[\x00-\x1f]")
State = dict[str, Any]
States = dict[str, dict[str, State]]  # By container and kind.


class Outcome(NamedTuple):
    """`well`: True, False, or None: it could not be tried at all. `changes`: when it might be another; None: never."""

    well: bool | None
    text: str = ""
    changes: int | None = None


class Asked(Protocol):
    """Who can ask a container: the kubelet's streaming server."""

    def ask_port(self, pod: Manifest, container: Manifest, record: Record, port: int, request: str) -> str | None:
        """What the port answers to a request, or to an empty one that it listens; None: nobody does."""

    def next_change(self, record: Record) -> int | None:
        """When its program will answer differently by itself; None: never."""

    def run_command(
        self, record: Record, argv: list[str], identity: str, left_alone: bool = False
    ) -> tuple[str, int | None, str]:
        """Start a command: (session, exit code or None, what it printed). Errors: ValueError: it can't be started.

        `left_alone`: nobody will ask for its end.
        """

    def command_result(self, session: str) -> tuple[int | None, str]:
        """(exit code or None, what it printed) of a command that was still running."""

    def end_command(self, session: str) -> None:
        """Kill it, if need be, and forget it."""


class Tried:
    """What came of some tries. `said`: what has to be told, by kind; `failed`: the kind that condemns the container."""

    def __init__(self) -> None:
        self.changed = False
        self.failed = ""
        self.said: list[tuple[str, Outcome]] = []


def defined(container: Manifest) -> list[str]:
    return [kind for kind in KINDS if container.get(f"{kind}Probe")]


def has_command(container: Manifest) -> bool:
    """Does anything of the container's life cycle run a command inside it?"""
    hooks = (container.get("lifecycle") or {}).values()
    probes = (container[f"{kind}Probe"] for kind in defined(container))
    return any("exec" in handler for handler in (*probes, *hooks) if handler)


def begin(container: Manifest, record: Record) -> dict[str, State]:
    """The states of a container that has just started."""
    kinds = defined(container)
    held = "startup" in kinds  # The others wait for it.
    started = record["started"]
    return {
        kind: {"next": None if held and kind != "startup" else _first(container, kind, started), "good": good, "run": 0}
        for kind, good in (("startup", None), ("liveness", True), ("readiness", False))
        if kind in kinds
    }


def is_up(states: dict[str, State] | None) -> bool:
    """Has the startup probe succeeded, if there is one?"""
    return not states or "startup" not in states or states["startup"]["good"] is True


def is_ready(states: dict[str, State] | None) -> bool:
    return is_up(states) and (not states or "readiness" not in states or states["readiness"]["good"] is True)


def next_due(found: States) -> int | None:
    times = [state["next"] for states in found.values() for state in states.values()]
    return min((at for at in times if at is not None), default=None)


def is_awaited(found: States, due: int) -> bool:
    """Will something that people wait for be known at `due`?"""
    return any(
        state["next"] == due and (kind == "startup" or not state["good"])
        for states in found.values()
        for kind, state in states.items()
    )


def wake(found: States, pod: Manifest, records: dict[str, Record], now: int) -> None:
    """Something may have changed in the pod: whoever sleeps looks at its next instant."""
    for container in pods.everyone(pod):
        name = container["name"]
        states, record = found.get(name), records.get(name)
        if not states or record is None or record["started"] is None or not is_up(states):
            continue
        for kind, state in states.items():
            if state["next"] is None and kind != "startup":
                state["next"] = _instant_after(container, kind, record["started"], now)


def _first(container: Manifest, kind: str, started: int) -> int:
    delay = int(container[f"{kind}Probe"].get("initialDelaySeconds") or 0) * SECOND
    return int(started) + max(delay, EARLIEST)


def _instant_after(container: Manifest, kind: str, started: int, now: int) -> int:
    """The next of the probe's instants after `now`."""
    first, period = _first(container, kind, started), _period(container[f"{kind}Probe"])
    return first if now < first else first + ((now - first) // period + 1) * period


def _period(probe: Manifest) -> int:
    return max(int(probe.get("periodSeconds") or 10), 1) * SECOND


class Prober:
    """Tries the probes of one node's pods. Keeps nothing: states are part of the pod's plan."""

    def __init__(self, clock: Clock, asked: Asked) -> None:
        self.clock, self.asked = clock, asked

    def try_due(self, pod: Manifest, container: Manifest, record: Record, states: dict[str, State]) -> Tried:
        """Try what is due of one running container."""
        tried = Tried()
        for kind in KINDS:
            state = states.get(kind)
            if state is None or state["next"] is None or state["next"] > self.clock.now:
                continue
            outcome = self._outcome(pod, container, record, kind, state)
            if outcome is None:
                continue  # Its command still runs.
            self._judge(container, record, kind, states, outcome, tried)
            if tried.failed:
                break
        return tried

    # --- what comes of it ---------------------------------------------------------------------------------------

    def _judge(
        self, container: Manifest, record: Record, kind: str, states: dict[str, State], outcome: Outcome, tried: Tried
    ) -> None:
        """Count, and change the verdict once there were enough in a row."""
        probe, state, now = container[f"{kind}Probe"], states[kind], self.clock.now
        state["next"] = _instant_after(container, kind, record["started"], now)
        if not outcome.well:
            tried.said.append((kind, outcome))
            if outcome.well is None:
                return  # A try that failed itself says nothing about the container.
        if outcome.well == state["good"]:
            state["run"] = 0
        else:
            state["run"] += 1
            enough = probe.get("successThreshold") if outcome.well else probe.get("failureThreshold")
            if state["run"] >= int(enough or (1 if outcome.well else 3)):
                state["good"], state["run"], tried.changed = outcome.well, 0, True
                if not outcome.well and kind != "readiness":
                    tried.failed = kind
                    return
        if state["good"] is True and state["run"] == 0:
            if kind == "startup":
                state["next"] = None
                self._release(container, record, states)
            elif "exec" not in probe:
                changes = outcome.changes
                at = None if changes is None else max(changes, now + 1) - 1
                state["next"] = None if at is None else _instant_after(container, kind, record["started"], at)

    def _release(self, container: Manifest, record: Record, states: dict[str, State]) -> None:
        """The container is up: now the other probes begin, readiness at once."""
        for kind in ("liveness", "readiness"):
            if kind in states:
                first = _first(container, kind, record["started"])
                again = _instant_after(container, kind, record["started"], self.clock.now)
                states[kind]["next"] = max(first, self.clock.now) if kind == "readiness" else again

    # --- asking -------------------------------------------------------------------------------------------------

    def _outcome(
        self, pod: Manifest, container: Manifest, record: Record, kind: str, state: State
    ) -> Outcome | None:
        """What the probe finds now; None: it has to wait for its command."""
        probe = container[f"{kind}Probe"]
        if "exec" in probe:
            return self._command(record, probe, kind, state)
        changes = self.asked.next_change(record)
        address = record_address(pod)
        for handler, ask in (("httpGet", self._http), ("tcpSocket", self._tcp), ("grpc", self._grpc)):
            if handler in probe:
                return ask(pod, container, record, probe, address)._replace(changes=changes)
        return Outcome(True)

    def _command(self, record: Record, probe: Manifest, kind: str, state: State) -> Outcome | None:
        argv, now = [str(word) for word in probe["exec"].get("command") or ()], self.clock.now
        limit = max(int(probe.get("timeoutSeconds") or 1), 1)
        if state.get("session"):
            session = state["session"]
            code, printed = self.asked.command_result(session)
        else:
            try:
                session, code, printed = self.asked.run_command(record, argv, f"{kind}-probe")
            except ValueError as error:
                return Outcome(None, str(error))
            state["until"] = now + limit * SECOND
        if code is None and now < state["until"]:
            state["session"], state["next"] = session, state["until"]
            return None
        state.pop("session", None)
        state.pop("until", None)
        self.asked.end_command(session)
        if code is None:
            return Outcome(False, f'command timed out: "{" ".join(argv)}" timed out after {limit}s')
        return Outcome(code == 0, printed)

    def _http(self, pod: Manifest, container: Manifest, record: Record, probe: Manifest, address: str) -> Outcome:
        return get(self.asked, pod, container, record, probe["httpGet"])

    def _tcp(self, pod: Manifest, container: Manifest, record: Record, probe: Manifest, address: str) -> Outcome:
        port = port_number(container, probe["tcpSocket"].get("port"))
        host = probe["tcpSocket"].get("host") or address
        if self.asked.ask_port(pod, container, record, port, "") is None:
            return Outcome(False, f"dial tcp {host}:{port}: connect: connection refused")
        return Outcome(True)

    def _grpc(self, pod: Manifest, container: Manifest, record: Record, probe: Manifest, address: str) -> Outcome:
        port = port_number(container, probe["grpc"].get("port"))
        if self.asked.ask_port(pod, container, record, port, "") is None:
            limit = max(int(probe.get("timeoutSeconds") or 1), 1)
            where = f'timeout: failed to connect service "{address}:{port}" within {limit}s'
            return Outcome(False, f"{where}: context deadline exceeded")
        return Outcome(True)


def get(asked: Asked, pod: Manifest, container: Manifest, record: Record, action: Manifest) -> Outcome:
    """An HTTPGetAction: is it answered with 200 to 399?"""
    port, address = port_number(container, action.get("port")), record_address(pod)
    host, path = action.get("host") or address, str(action.get("path") or "/")
    url = f"{str(action.get('scheme') or 'HTTP').lower()}://{host}:{port}{path if path[:1] == '/' else '/' + path}"
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}:{port}", "User-Agent: kube-probe/1.37", "Accept: */*"]
    lines += [f"{one['name']}: {one['value']}" for one in action.get("httpHeaders") or ()]
    lines += ["Connection: close", ""]
    answer = None
    if host in (address, "localhost", "127.0.0.1"):
        request = "".join(f"{CONTROL.sub('', line)}\r\n" for line in lines)
        answer = asked.ask_port(pod, container, record, port, request)
    if answer is None:
        return Outcome(False, f'Get "{url}": dial tcp {host}:{port}: connect: connection refused')
    words = answer.split(" ", 2)
    code = int(words[1]) if len(words) > 1 and words[1].isdecimal() else 0
    if not answer.startswith("HTTP/"):
        shown = answer[:20].encode("ascii", "backslashreplace").decode()
        broken = f'net/http: HTTP/1.x transport connection broken: malformed HTTP response "{shown}"'
        return Outcome(False, f'Get "{url}": {broken}')
    return Outcome(True) if 200 <= code < 400 else Outcome(False, f"HTTP probe failed with statuscode: {code}")


def message(kind: str, outcome: Outcome) -> str:
    """The text of the event Unhealthy."""
    if outcome.well is None:
        return f"{kind.capitalize()} probe errored and resulted in unknown state: {outcome.text}"
    return f"{kind.capitalize()} probe failed: {outcome.text}"


def port_number(container: Manifest, port: Any) -> int:
    """A number, or the number of the container's port of that name; 0: it has none."""
    if isinstance(port, int):
        return port
    named = (one for one in container.get("ports") or () if one.get("name") == port)
    return next((int(one["containerPort"]) for one in named), 0)


def record_address(pod: Manifest) -> str:
    return str((pod.get("status") or {}).get("podIP") or meta.name(pod))
