"""Probes: is a container up (startup), does it still work (liveness), may it be sent requests (readiness)?

A probe is tried at fixed instants: `initialDelaySeconds` after the container's start, at the earliest a second, and
then every `periodSeconds`. What it finds is what the program does at that instant: httpGet, tcpSocket and grpc ask the
container's port, exec runs a command among its files and processes.

A real kubelet asks for ever. Here a probe that is content *sleeps* until its answer could be another one: programs say
when they will answer differently (`Program.next_change`); whoever writes a file in the pod wakes it, and so do a
changed ConfigMap or Secret among its volumes and the end of another of its containers. A command sleeps if it only
looked at files (`Sessions.steady`). So ten thousand healthy pods cost nothing. Failing probes, probes of servers that
others ask so much of that they may be late (they meet the queue like any other request), commands that look at
more, and files on disks that other pods share are tried every period, as in real life.

    state of a probe   {"next": when to try again, None: asleep; "good": the verdict, None: none yet;
                        "run": tries in a row that said otherwise; "session", "until": an exec that still runs}

Mirrors:  kubernetes/pkg/kubelet/prober (worker.go, prober.go), pkg/probe/{http,tcp,exec,grpc}
Left out: the phase of a worker's ticks, which begins with the pod; other hosts than the pod itself (refused); a pod
          that is being deleted is asked nothing more (a real kubelet goes on with its readiness).
Read next: containers.py, which kills what does not live.
"""

import json
import re
from typing import Any, NamedTuple, Protocol
from urllib.parse import urljoin, urlsplit

from cluster.engine.clock import SECOND, Clock
from cluster.kubelet.serving import NO_ROOM
from cluster.objects import Manifest, meta, pods
from cluster.runtime.containers import Record

KINDS = ("startup", "liveness", "readiness")
EARLIEST = SECOND
CONTROL = re.compile(r"[\x00-\x1f]")
LOCATION = re.compile(r"\r\nlocation: *([^\r\n]*)", re.IGNORECASE)
MOVED = (301, 302, 303, 307, 308)
MOST_MOVES = 10
MOST_READ = 10 * 1024  # Characters of a body, and of what a command printed.
SETTINGS = r"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00@\x00"  # What HTTP/2 says first, as Go shows it.
State = dict[str, Any]
States = dict[str, dict[str, State]]  # By container and kind.


class Outcome(NamedTuple):
    """`well`: True, False, or None: it could not be tried at all. `warns`: it is well, but `text` is to be told.

    `changes`: when it might be another; None: never by itself.
    """

    well: bool | None
    text: str = ""
    changes: int | None = None
    warns: bool = False


class Ran(NamedTuple):
    """What came of a command. `code`: None: it still runs. `steady`: only other files would make it end otherwise."""

    session: str
    code: int | None
    printed: str
    steady: bool = False


class Port(Protocol):
    """Somebody who listens at a port of a pod."""

    @property
    def speaks(self) -> str:
        """http, https, grpc, redis; any: whatever it is asked."""

    @property
    def drifts(self) -> bool:
        """Are its answers files that may change without this kubelet's knowledge?"""

    def ask(self, request: str) -> str:
        """What it answers."""

    def health(self, service: str) -> str:
        """SERVING, NOT_SERVING, or "": it knows no such service."""

    def is_strained(self, within: int) -> bool:
        """Do others ask so much of it that it might not answer within so many microseconds?"""

    def trouble(self, within: int, *about: int) -> str:
        """How one request goes now: serving.LATE, serving.NO_ROOM, or "": it is answered in time."""


class Asked(Protocol):
    """Who can ask a container: the kubelet's streaming server."""

    def reach(self, pod: Manifest, record: Record, port: int) -> Port | None:
        """Who listens at a port of the pod, in the container of `record` before others; None: nobody does."""

    def next_change(self, pod: Manifest) -> int | None:
        """When a program of the pod will answer differently by itself; None: never."""

    def run_command(self, record: Record, argv: list[str], identity: str, left_alone: bool = False) -> Ran:
        """Start a command. Errors: ValueError: it can't be started. `left_alone`: nobody will ask for its end."""

    def command_result(self, session: str) -> Ran:
        """Of a command that was still running."""

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


def wake(found: States, pod: Manifest, records: dict[str, Record], since: int) -> None:
    """Something may have changed in the pod at `since`: whoever sleeps looks at the first instant from then on."""
    for container in pods.everyone(pod):
        name = container["name"]
        states, record = found.get(name), records.get(name)
        if not states or record is None or record["started"] is None or not is_up(states):
            continue
        for kind, state in states.items():
            if state["next"] is None and kind != "startup":
                state["next"] = _instant_after(container, kind, record["started"], since - 1)


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
        if not outcome.well or outcome.warns:
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
            elif not outcome.warns:
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

    def _outcome(self, pod: Manifest, container: Manifest, record: Record, kind: str, state: State) -> Outcome | None:
        """What the probe finds now; None: it has to wait for its command."""
        probe = container[f"{kind}Probe"]
        if "exec" in probe:
            return self._command(record, probe, kind, state)
        try:
            return self._crowded(pod, container, record, kind, probe) or self._ask(pod, container, record, probe)
        except ValueError as error:
            return Outcome(None, str(error))

    def _ask(self, pod: Manifest, container: Manifest, record: Record, probe: Manifest) -> Outcome:
        """Errors: ValueError: it has no such port."""
        if "httpGet" in probe:
            return get(self.asked, pod, container, record, probe["httpGet"])
        if "tcpSocket" in probe:
            return connect(self.asked, pod, container, record, probe["tcpSocket"])
        return self._grpc(pod, container, record, probe) if "grpc" in probe else Outcome(True)

    def _crowded(
        self, pod: Manifest, container: Manifest, record: Record, kind: str, probe: Manifest
    ) -> Outcome | None:
        """What it finds while others ask the server so much that it may be late; None: they don't.

        Errors: ValueError: it has no such port.
        """
        handler = next((name for name in ("httpGet", "tcpSocket", "grpc") if name in probe), "")
        if not handler or ("load" not in record and len(pods.everyone(pod)) == 1):
            return None
        port, seconds = (
            port_number(container, probe[handler].get("port")),
            max(int(probe.get("timeoutSeconds") or 1), 1),
        )
        found = self.asked.reach(pod, record, port)
        if found is None or not found.is_strained(seconds * SECOND):
            return None
        trouble = found.trouble(seconds * SECOND, KINDS.index(kind))
        if trouble and (handler != "tcpSocket" or trouble == NO_ROOM):  # The kernel accepts what the program can't.
            return Outcome(False, _too_late(pod, probe, handler, port, seconds, trouble == NO_ROOM))
        return self._ask(pod, container, record, probe)._replace(changes=self.clock.now)

    def _command(self, record: Record, probe: Manifest, kind: str, state: State) -> Outcome | None:
        argv, now = [str(word) for word in probe["exec"].get("command") or ()], self.clock.now
        limit = max(int(probe.get("timeoutSeconds") or 1), 1)
        if state.get("session"):
            session = state["session"]
            session, code, printed, steady = self.asked.command_result(session)
        else:
            try:
                session, code, printed, steady = self.asked.run_command(record, argv, f"{kind}-probe")
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
            shown = json.dumps(" ".join(argv), ensure_ascii=False)
            return Outcome(False, f"command timed out: {shown} timed out after {limit}s")
        return Outcome(code == 0, printed[:MOST_READ], changes=None if steady else now)

    def _grpc(self, pod: Manifest, container: Manifest, record: Record, probe: Manifest) -> Outcome:
        port, service = port_number(container, probe["grpc"].get("port")), str(probe["grpc"].get("service") or "")
        found = self.asked.reach(pod, record, port)
        if found is None or found.speaks not in ("grpc", "any"):  # To others it is gibberish, until time is up.
            limit = max(int(probe.get("timeoutSeconds") or 1), 1)
            where = f'timeout: failed to connect service "{record_address(pod)}:{port}" within {limit}s'
            return Outcome(False, f"{where}: context deadline exceeded")
        health = found.health(service)
        if not health:
            error = "rpc error: code = NotFound desc = unknown service"
            return Outcome(False, f"error: health rpc probe failed: {error}")
        if health != "SERVING":
            return Outcome(False, f'service unhealthy (responded with "{health}")')
        return Outcome(True, changes=self.asked.next_change(pod))


def _too_late(pod: Manifest, probe: Manifest, handler: str, port: int, seconds: int, unconnected: bool) -> str:
    """What the kubelet says of a probe that took longer than its timeout."""
    address = f"{record_address(pod)}:{port}"
    if handler == "grpc":
        words = f'failed to connect service "{address}" within {seconds}s: context deadline exceeded'
        return f"timeout: {words if unconnected else f'health rpc did not complete within {seconds}s'}"
    if handler == "tcpSocket":
        return f"dial tcp {address}: i/o timeout"
    action = probe["httpGet"]
    host, path = action.get("host") or record_address(pod), str(action.get("path") or "/")
    url = f"{str(action.get('scheme') or 'HTTP').lower()}://{host}:{port}{path if path[:1] == '/' else '/' + path}"
    why = f"dial tcp {address}: i/o timeout" if unconnected else "context deadline exceeded"
    return f'Get "{url}": {why} (Client.Timeout exceeded while awaiting headers)'


def connect(asked: Asked, pod: Manifest, container: Manifest, record: Record, action: Manifest) -> Outcome:
    """A TCPSocketAction: does somebody accept the connection? Errors: ValueError: it has no such port."""
    port, host = port_number(container, action.get("port")), action.get("host") or record_address(pod)
    if not _is_own(pod, host) or asked.reach(pod, record, port) is None:
        return Outcome(False, f"dial tcp {host}:{port}: connect: connection refused")
    return Outcome(True, changes=asked.next_change(pod))


def get(asked: Asked, pod: Manifest, container: Manifest, record: Record, action: Manifest) -> Outcome:
    """An HTTPGetAction: is it answered with 200 to 399? Errors: ValueError: it has no such port.

    Redirects are followed on the same host; one that leads elsewhere is well, with a warning.
    """
    port, path = port_number(container, action.get("port")), str(action.get("path") or "/")
    host = str(action.get("host") or record_address(pod))
    url = f"{str(action.get('scheme') or 'HTTP').lower()}://{host}:{port}{path if path[:1] == '/' else '/' + path}"
    location = ""
    for _ in range(MOST_MOVES):
        code, location, said = _fetch(asked, pod, record, url, action.get("httpHeaders") or ())
        if code == 0:
            return Outcome(False, f'Get "{url}": {said}')
        if not 200 <= code < 400:
            return Outcome(False, f"HTTP probe failed with statuscode: {code}")
        if code < 300:
            found = asked.reach(pod, record, _parts(url)[2])
            drifts = found is not None and found.drifts
            return Outcome(True, changes=0 if drifts else asked.next_change(pod))
        target = urljoin(url, location) if code in MOVED and location else ""
        if not target or _parts(target)[1] != host:
            return Outcome(True, f"Probe terminated redirects, Response body: {said}", warns=True)
        url = target
    return Outcome(False, f'Get "{location}": stopped after {MOST_MOVES} redirects')


def _fetch(asked: Asked, pod: Manifest, record: Record, url: str, headers: Any) -> tuple[int, str, str]:
    """(status, location, body) of an answer; 0: there is none, and why in place of the body."""
    scheme, host, port, target = _parts(url)
    found = asked.reach(pod, record, port) if _is_own(pod, host) else None
    if found is None:
        return 0, "", f"dial tcp {host}:{port}: connect: connection refused"
    speaks = found.speaks
    if scheme == "https" and speaks not in ("https", "any"):
        plain = speaks == "http"
        return (
            0,
            "",
            "http: server gave HTTP response to HTTPS client"
            if plain
            else ("tls: first record does not look like a TLS handshake"),
        )
    broken = "net/http: HTTP/1.x transport connection broken: malformed HTTP response"
    if speaks == "grpc":
        return 0, "", f'{broken} "{SETTINGS}"'
    if scheme == "http" and speaks == "https":
        return 400, "", "Client sent an HTTP request to an HTTPS server.\n"
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}:{port}", "User-Agent: kube-probe/1.37", "Accept: */*"]
    lines += [f"{one['name']}: {one['value']}" for one in headers]
    request = "".join(f"{CONTROL.sub('', line)}\r\n" for line in [*lines, "Connection: close", ""])
    answer = found.ask(request)
    head, _, body = answer.partition("\r\n\r\n")
    words = head.split(" ", 2)
    if not answer.startswith("HTTP/") or len(words) < 2 or not words[1].isdecimal():
        shown = answer[:20].encode("ascii", "backslashreplace").decode()
        return 0, "", f'{broken} "{shown}"'
    moved = LOCATION.search(head)
    return int(words[1]), moved[1] if moved else "", body[:MOST_READ]


def _parts(url: str) -> tuple[str, str, int, str]:
    """(scheme, host, port, path with query) of a URL; port 0: it has no valid one."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return "", "", 0, "/"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return parts.scheme, parts.hostname or "", port, target


def _is_own(pod: Manifest, host: str) -> bool:
    """Does `host` lead a machine's connection to the pod? Its loopback is the machine's, unless it shares it."""
    return host == record_address(pod) or (bool(pod["spec"].get("hostNetwork")) and host in ("localhost", "127.0.0.1"))


def reason(outcome: Outcome) -> str:
    """The reason of the event about it."""
    return "ProbeWarning" if outcome.warns else "Unhealthy"


def message(kind: str, outcome: Outcome) -> str:
    """The text of that event."""
    if outcome.warns:
        return f"{kind.capitalize()} probe warning: {outcome.text}"
    if outcome.well is None:
        return f"{kind.capitalize()} probe errored and resulted in unknown state: {outcome.text}"
    return f"{kind.capitalize()} probe failed: {outcome.text}"


def port_number(container: Manifest, port: Any) -> int:
    """A number, or the number of the container's port of that name. Errors: ValueError, in Go's words."""
    if isinstance(port, int):
        return port
    for one in container.get("ports") or ():
        if one.get("name") == port:
            return int(one["containerPort"])
    raise ValueError(f"strconv.Atoi: parsing {json.dumps(str(port))}: invalid syntax")


def record_address(pod: Manifest) -> str:
    return str((pod.get("status") or {}).get("podIP") or meta.name(pod))
