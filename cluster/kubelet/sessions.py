"""The kubelet's streaming server: exec, attach and port-forward, as far as they happen on the node.

Requests come as inputs of the world (see streams.py), act at once, and answer with a session's key; whatever a session
prints later is read from its cells by whoever serves the client. Processes that wait for a time have a timer in the
kubelet's queue under `exec|<session>`.

Mirrors:  kubernetes/pkg/kubelet/server/server.go (getExec, getAttach, getPortForward),
          k8s.io/kubelet/pkg/cri/streaming
Read next: runtime/sessions.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.engine.agenda import WorkQueue
from cluster.engine.clock import MINUTE, Clock
from cluster.engine.informer import Informers
from cluster.kubelet import environment, probes, serving, volumes
from cluster.kubelet.probes import Ran
from cluster.objects import Manifest, errors, meta, pods
from cluster.runtime import noise, runtimes
from cluster.runtime.containers import Record, key_of
from cluster.runtime.dialogue import strings
from cluster.runtime.live import answers
from cluster.runtime.live.files import Mount
from cluster.runtime.live.kernel import SIGTERM
from cluster.runtime.sessions import MAIN, ExecError, Full, Sessions

TIMER, WAKE, TERM = "exec|", "wake|", "term|"
SIGNALS = 64  # That sessions send to others at one instant.
KEPT = 10 * MINUTE  # How long an ended session waits for a reader that does not come.
Server = answers.Server


class StreamingServer:
    """Sessions of one node's pods. `host`: the machine's address."""

    def __init__(self, node: str, host: str, informers: Informers, clock: Clock, queue: WorkQueue, sessions: Sessions):
        self.node, self.host, self.informers, self.clock = node, host, informers, clock
        self.queue, self.sessions = queue, sessions
        self.containers = sessions.containers
        sessions.mounts_of, sessions.declared = self._mounts, self._declared
        self.on_wrote: Callable[[Record], None] = lambda record: None  # A process of it has changed files.
        self.find: Callable[[str, str, str], Manifest | None] = lambda namespace, name, uid: None
        sessions.runtime.on_boot = lambda record: sessions.boot(record, self._mounts(record))
        sessions.on_ended = lambda record: sessions.last_words(record, self._mounts(record))
        sessions.on_kept = lambda record: self.on_wrote(record)
        self.on_files: Callable[[], None] = lambda: None  # Likewise, for who looks from outside.

    # --- requests -------------------------------------------------------------------------------------------

    def exec(
        self, pod: Manifest, container: str, argv: Sequence[str], tty: bool, stdin: bool, identity: str
    ) -> dict[str, Any]:
        """Start a process: {session, from}. Errors: InternalError in the real words."""
        self._check_runtime()
        record = self._running(pod, container, f'container not found ("{container}")')
        try:
            key = self.sessions.begin(
                record, identity, [_bytes(word) for word in argv], tty, stdin, self._mounts(record)
            )
        except ExecError as error:
            number = noise.hexadecimal(64, record["seed"], int(identity))
            text = f'error executing command in container: failed to exec in container: failed to start exec "{number}"'
            raise errors.InternalError(f"Internal error occurred: {text}: {error}") from None
        except Full as error:
            raise errors.InternalError(
                f"Internal error occurred: error executing command in container: {error}"
            ) from None
        self._note("Exec", record, f" cmd: {strings(argv)}")
        self.go_on(key)
        return {"session": key, "from": 0}

    def attach(self, pod: Manifest, container: str) -> dict[str, Any]:
        """{session, from} of a process that can be typed into, else {container, from}: its output from now on."""
        self._check_runtime()
        missing = f"container {container} not found in pod {meta.name(pod)}_{meta.namespace(pod)}"
        record = self._running(pod, container, missing)
        key = key_of(record["uid"], record["name"], record["attempt"])
        main = self.sessions.cells.get(f"{key}/{MAIN}")
        self._note("Attach", record)
        if main is None:
            return {"container": key, "attempt": record["attempt"], "from": self.clock.now}
        return {"session": f"{key}/{MAIN}", "from": main["written"], "tty": main["tty"]}

    def forward(self, pod: Manifest, identity: str) -> dict[str, Any]:
        """{session, from, sandbox}. Errors: InternalError."""
        self._check_runtime()
        sandbox = self.containers.get(pods.uid_at_node(pod))
        if sandbox is None or sandbox["ended"] is not None:
            raise errors.InternalError(
                "Internal error occurred: unable to upgrade connection: pod not found"
                f' ("{meta.name(pod)}_{meta.namespace(pod)}")'
            )
        try:
            key = self.sessions.connect(pods.uid_at_node(pod), identity)
        except Full as error:
            raise errors.InternalError(f"Internal error occurred: {error}") from None
        self._note("PortForward", sandbox)
        return {"session": key, "from": 0, "sandbox": sandbox["id"]}

    def proxy(self, pod: Manifest, port: int, request: str) -> str | None:
        """What a port of the pod answers to one request; None: nobody listens. Errors: InternalError."""
        found = self._server_at(pod, port)
        if found is None:
            return None
        server, record = found
        return self.sessions.ask(record, server, port, request, client="10.0.0.1").data

    def _note(self, call: str, record: Record, more: str = "", answer: str = "") -> None:
        self.sessions.runtime.dialogue.note_of(record, self.clock.now, call, more, answer)

    def _check_runtime(self) -> None:
        """Errors: InternalError, if nobody answers on its socket."""
        runtime = self.sessions.runtime
        if runtime.is_down:
            raise errors.InternalError(f"Internal error occurred: {runtimes.unavailable(runtime.kind)}")

    def _running(self, pod: Manifest, container: str, missing: str) -> Record:
        """The record of a running container. Errors: InternalError, which says `missing`."""
        record = self._latest(pods.uid_at_node(pod), container)
        if record is None or record["started"] is None or record["ended"] is not None:
            raise errors.InternalError(f"Internal error occurred: unable to upgrade connection: {missing}")
        return record

    def _latest(self, uid: str, container: str) -> Record | None:
        records = [r for r in self.sessions.runtime.list_containers(uid) if r["name"] == container]
        return max(records, key=lambda record: int(record["attempt"]), default=None)

    # --- input of a session ---------------------------------------------------------------------------------

    def act(self, key: str, request: dict[str, Any]) -> dict[str, Any]:
        """`op` of a session: stdin, close, resize, ack, left, drop; open, data, shut of a port-forward's connection.

        Errors: NotFound, TooManyRequests (a limit; nothing was taken).
        """
        if key not in self.sessions.cells:
            raise errors.NotFound("", "sessions", key)
        op, data = request.get("op"), str(request.get("data", ""))
        try:
            if op == "stdin":
                self.sessions.feed(key, data)
            elif op == "close":
                self.sessions.close(key)
            elif op == "resize":
                self.sessions.resize(key, _size(request.get("columns")), _size(request.get("rows")))
            elif op == "ack":
                self.sessions.acknowledge(key, int(request.get("offset", 0)))
            elif op == "left":
                self.sessions.leave(key)
            elif op == "drop":
                self.queue.cancel(TIMER + key)
                if not key.endswith(f"/{MAIN}"):
                    self.sessions.drop(key)
                return {}
            else:
                return self._connection(key, str(op), str(request.get("connection", "0")), request)
        except Full as error:
            raise errors.TooManyRequests(str(error)) from None
        self.go_on(key)
        return {}

    def _connection(self, key: str, op: str, connection: str, request: dict[str, Any]) -> dict[str, Any]:
        if op == "shut":
            self.sessions.close_connection(key, connection)
            return {}
        state = self.sessions.cells[key]["state"]
        port = int(request["port"]) if op == "open" else state["connections"].get(connection, {}).get("port", 0)
        pod = self._pod(key.partition("/")[0])
        found = self._server_at(pod, port) if pod is not None else None
        if op == "open":
            if found is None:
                return {"refused": True}
            self.sessions.open_connection(key, connection, port)
        elif op == "data" and found is not None:
            server, record = found
            self.sessions.forward(key, connection, str(request.get("data", "")), server, record)
        elif op == "data":
            return {"refused": True}
        return {}

    def _server_at(self, pod: Manifest, port: int) -> tuple[Server, Record] | None:
        """Who listens on a port of the pod?"""
        for container in pods.everyone(pod):
            record = self._latest(pods.uid_at_node(pod), container["name"])
            if record is None or record["started"] is None or record["ended"] is not None:
                continue
            server = self._listening(container, record, port)
            if server is not None:
                return server, record
        return None

    def _listening(self, container: Manifest, record: Record, port: int) -> Server | None:
        """What serves this port of one running container."""
        server = self.sessions.server(record, _ports(container), self._mounts(record))
        return server if answers.is_listening(server, port) else None

    # --- running --------------------------------------------------------------------------------------------

    def started(self, record: Record) -> None:
        """A container has just begun: if it can be typed into, its process 1 lives from now on."""
        if record["program"] != "terminal":
            return
        try:
            argv, typed = [_bytes(word) for word in record["argv"]], bool(record.get("stdin"))
            key = self.sessions.begin(record, MAIN, argv, bool(record.get("tty")), typed, self._mounts(record))
        except (ExecError, Full):
            return
        self.go_on(key)

    def terminate(self, record: Record, after: int) -> None:
        """SIGTERM to a process 1 that lives, `after` microseconds from now: it may have a trap."""
        if record["program"] != "terminal":
            return
        key = key_of(record["uid"], record["name"], record["attempt"])
        if after:
            self.queue.add_after(TERM + key, after)
        else:
            self.told_to_end(key)

    def told_to_end(self, base: str) -> None:
        record, key = self.containers.get(base), f"{base}/{MAIN}"
        cell = self.sessions.cells.get(key)
        if record is None or record["ended"] is not None or cell is None or cell["ended"] is not None:
            return
        self.sessions.signal(key, int(cell["state"]["root"]), SIGTERM, record, self._mounts(record))
        self.go_on(key)

    # --- what probes ask, and who comes from the network ---------------------------------------------------

    def ask_port(self, container: Manifest, record: Record, port: int, request: str, client: str) -> str | None:
        """What a port of this container answers; an empty request only knocks. None: nobody listens.

        `client`: whose address stands in its access log.
        """
        server = self._listening(container, record, port)
        if server is None:
            return None
        return self.sessions.ask(record, server, port, request, client).data if request else ""

    def would_answer(self, container: Manifest, record: Record, port: int, request: str) -> str | None:
        """What it would say to that. Nothing is asked, counted or logged. None: nobody listens."""
        server = self._listening(container, record, port)
        return None if server is None else self.sessions.would_answer(record, server, port, request)

    def load_changed(self, record: Record) -> None:
        """Others ask a container more or less than before: its probes may find it slow."""
        self._wake_probes(record)

    def reach(self, pod: Manifest, record: Record, port: int) -> "Listening | None":
        """Who listens at a port of the pod: containers share their addresses. `record`: whose is looked at first."""
        first = next((each for each in pods.everyone(pod) if each["name"] == record["name"]), None)
        others = [each for each in pods.everyone(pod) if each is not first]
        for container in [first, *others] if first is not None else others:
            own = record if container is first else self._latest(pods.uid_at_node(pod), container["name"])
            if own is None or own["started"] is None or own["ended"] is not None:
                continue
            server = self._listening(container, own, port)
            if server is not None:
                drifts = server.program == "nginx" and volumes.are_shared(pod)
                return Listening(self, server, own, port, drifts)
        return None

    def next_change(self, pod: Manifest) -> int | None:
        """When a program of the pod will answer differently by itself; None: never."""
        times = []
        for container in pods.everyone(pod):
            record = self._latest(pods.uid_at_node(pod), container["name"])
            if record is not None and record["started"] is not None and record["ended"] is None:
                times.append(self.sessions.next_change(record))
        return min((at for at in times if at is not None), default=None)

    def run_command(self, record: Record, argv: list[str], identity: str, left_alone: bool = False) -> Ran:
        """Errors: ValueError, in containerd's words."""
        try:
            key = self.sessions.begin(
                record, identity, [_bytes(word) for word in argv], False, False, self._mounts(record)
            )
        except (ExecError, Full) as error:
            number = noise.hexadecimal(64, record["seed"], self.clock.now)
            text = f'rpc error: code = Unknown desc = failed to exec in container: failed to start exec "{number}": '
            raise ValueError(f"{text}{error}") from None
        self._run(key)
        steady = self.sessions.steady
        self._signal_others()
        ran = self.command_result(key)
        if left_alone:
            answer = "" if ran.code is None else f"exit_code: {ran.code}"
            self._note("ExecSync", record, f" cmd: {strings(argv)}", answer)
        if left_alone and key in self.sessions.cells:
            if ran.code is None:
                self.sessions.leave(key)
            else:
                self.end_command(key)
        pod = self._pod(record["uid"])
        return ran._replace(steady=steady and pod is not None and not volumes.are_shared(pod))

    def command_result(self, session: str) -> Ran:
        cell = self.sessions.cells.get(session)
        if cell is None:  # The container died, and everything in it.
            return Ran(session, 137, "")
        return Ran(session, cell["code"], self.sessions.printed(session))

    def end_command(self, session: str) -> None:
        self.queue.cancel(TIMER + session)
        if session in self.sessions.cells:
            self.sessions.drop(session)

    def process(self, key: str) -> None:
        """A timer: somebody slept long enough, or nobody came for what was left."""
        cell = self.sessions.cells.get(key)
        if cell is not None and cell["ended"] is not None:
            self.sessions.drop(key)
        elif cell is not None:
            self.go_on(key)

    def go_on(self, key: str) -> None:
        """Run a session, then whoever it sent signals to."""
        self._run(key)
        self._signal_others()

    def _signal_others(self) -> None:
        """Let them hear of it. Whoever answers each signal with another one is heard SIGNALS times at one instant."""
        sessions = self.sessions
        for _ in range(SIGNALS):
            if not sessions.to_signal:
                return
            other, pid, signal = sessions.to_signal.pop(0)
            record = self.containers.get(other.rpartition("/")[0])
            if record is not None:
                sessions.signal(other, pid, signal, record, self._mounts(record))
                self._run(other)
        sessions.to_signal.clear()

    def _run(self, key: str) -> None:
        cell = self.sessions.cells.get(key)
        if cell is None or cell["kind"] == "forward":
            return
        base = key.rpartition("/")[0]
        record = self.containers.get(base)
        if record is None:
            return
        had = record.get("exit")
        wake = self.sessions.run(key, record, self._mounts(record))
        if self.sessions.wrote:
            self._wake_probes(record)
            self.on_wrote(record)
            self.on_files()
        self.queue.cancel(TIMER + key)
        record, end = self.containers[base], self.sessions.exit_of(key)
        if end is not None and not record.get("exit"):
            self.containers[base] = record = {**record, "exit": list(end)}
        if record.get("exit") != had or record.get("target"):  # Or that of the one whose processes it shares.
            self.queue.add(f"{record['namespace']}/{record['pod']}/{record['uid']}")
        if wake is not None:
            self.queue.add_after(TIMER + key, wake - self.clock.now)
        elif self.sessions.cells[key].get("left") and self.sessions.cells[key]["ended"] is not None:
            self.sessions.drop(key)
        elif self.sessions.cells[key]["ended"] is not None:
            self.queue.add_after(TIMER + key, KEPT)

    def _wake_probes(self, record: Record) -> None:
        """Files of the container changed: whoever asks it might hear something else now."""
        pod = self._pod(record["uid"])
        if pod is not None and any(probes.defined(each) for each in pods.everyone(pod)):
            self.queue.add(f"{WAKE}{record['namespace']}/{record['pod']}/{record['uid']}")

    # --- what belongs to a container ------------------------------------------------------------------------

    def _pod(self, uid: str) -> Manifest | None:
        sandbox = self.containers.get(uid)
        return self.find(sandbox["namespace"], sandbox["pod"], uid) if sandbox is not None else None

    def _container(self, record: Record) -> tuple[Manifest, Manifest] | None:
        """(its pod, what that says of the container)"""
        pod = self._pod(record["uid"])
        if pod is None:
            return None
        return next(((pod, one) for one in pods.everyone(pod) if one["name"] == record["name"]), None)

    def _declared(self, record: Record) -> list[int]:
        found = self._container(record)
        return _ports(found[1]) if found is not None else []

    def _mounts(self, record: Record) -> list[Mount]:
        found = self._container(record)
        if found is None:
            return []
        pod, container = found
        sandbox = self.containers.get(record["uid"]) or {}
        addresses = {"podIP": sandbox.get("ip") or "", "hostIP": self.host}
        return volumes.mounts(pod, container, self.informers, self.node, addresses)


def _ports(container: Manifest) -> list[int]:
    return [int(one["containerPort"]) for one in container.get("ports") or ()]


@dataclass(frozen=True)
class Listening:
    """A program at a port of a pod: see probes.Port."""

    streams: StreamingServer
    server: Server
    record: Record
    port: int
    drifts: bool

    @property
    def speaks(self) -> str:
        return self.server.speaks(self.port)

    def ask(self, request: str) -> str:
        return self.streams.sessions.ask(self.record, self.server, self.port, request, self.streams.host).data

    def health(self, service: str) -> str:
        return self.server.health(service)

    def is_strained(self, within: int) -> bool:
        return serving.is_strained(self.record, within)

    def trouble(self, within: int, *about: int) -> str:
        return serving.fate(self.record, within, self.streams.clock.now, *about)


def extra_of(pod: Manifest, container: Manifest) -> dict[str, Any]:
    """What a container's record says besides: whether it can be typed into, and where it works."""
    found: dict[str, Any] = {name: True for name in ("stdin", "tty") if container.get(name)}
    if probes.has_command(container):
        found["live"] = True  # Its files have to be real: a command will look at them.
    if any(mount["mountPath"] != volumes.TOKENS for mount in container.get("volumeMounts") or ()):
        found["live"] = True  # It has come for the files of others, or they for its own.
    if (limit := environment.cpu_limit(container)) is not None:
        found["cpu"] = limit
    if (dns := environment.resolv_conf(pod)) is not None:
        found["dns"] = dns
    if aliases := pod["spec"].get("hostAliases"):
        found["hosts"] = [[one["ip"], *(one.get("hostnames") or ())] for one in aliases]
    if hostname := pod["spec"].get("nodeName") if pod["spec"].get("hostNetwork") else pod["spec"].get("hostname"):
        found["hostname"] = hostname
    if pod["spec"].get("hostPID"):
        found["host_pid"] = found["live"] = True
    if pod["spec"].get("hostNetwork") and (container.get("securityContext") or {}).get("privileged"):
        found["privileged"] = True  # It may look at the packet rules of its machine.
    if container.get("targetContainerName"):
        found["target"] = container["targetContainerName"]
        found["live"] = True  # It looks at another one's processes.
    if container.get("workingDir"):
        found["cwd"] = container["workingDir"]
    if (user := _user_of(pod, container)) is not None:
        found["user"] = user
    return found


def _user_of(pod: Manifest, container: Manifest) -> list[int] | None:
    """[uid, gid, all groups in order], if a securityContext names a user; else the image's, which is root."""
    mine: Manifest = pod["spec"].get("securityContext") or {}
    chosen = {**mine, **(container.get("securityContext") or {})}
    if not chosen.get("runAsUser"):
        return None
    group = int(chosen.get("runAsGroup") or 0)
    more = [*(mine.get("supplementalGroups") or ()), *([mine["fsGroup"]] if mine.get("fsGroup") is not None else [])]
    return [int(chosen["runAsUser"]), group, *sorted({group, *map(int, more)})]


def _size(value: Any) -> int:
    """Columns or rows of a terminal."""
    return min(max(value, 1), 1_000) if isinstance(value, int) else 80


def _bytes(text: str) -> str:
    """UTF-8, one character a byte."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")
