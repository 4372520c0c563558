"""Sessions of a node: processes that somebody started from outside, and connections to a pod's ports, kept in cells.

    <uid>/<container>/<attempt>/<id>   exec: a process and its children            see live/kernel.py for `state`
    <uid>/<container>/<attempt>/main   process 1 of a container that can be typed into
    <uid>/-/<id>                       port-forward: its connections
    <session>/out/<offset>             what it printed from that character on: {at, parts: [[channel, text], …]}
    <uid>/<container>/<attempt>/pids   the next process number; …/memory: what its server remembers

Whoever reads the output says how far it is; what was read is dropped. A session that is LEAD characters ahead of its
reader waits before it prints more, as a process waits for a full pipe. A disk (a container's own layer, or a volume) is
a cell of another table: {path: [kind, mode, changed, content]}.

Limits:   32 sessions a container, 256 KiB printed and not read, 1 MiB sent and not read by the program.
Read next: live/kernel.py; kubelet/sessions.py, which calls this.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, Protocol

import orjson

from cluster.engine.cells import Cells
from cluster.objects import resolvconf
from cluster.runtime import crictl, images, rotation, traffic
from cluster.runtime.containers import Record, hostname_of, key_of, process_of, program_of
from cluster.runtime.cri import Runtime
from cluster.runtime.live import answers, kernel, terminal
from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.commands.connection import connect
from cluster.runtime.live.files import DIRECTORY, FILE, Entry, Files, Mount
from cluster.runtime.live.kernel import SIGHUP, SIGKILL, SIGTERM, Container, Kernel
from cluster.runtime.live.programs import PROGRAMS
from cluster.runtime.live.roots import root_of, root_of_machine
from cluster.runtime.live.servers import LAST_DEEDS, SERVERS, STARTS
from cluster.runtime.live.servers.place import Place
from cluster.runtime.live.servers.sites import SITES
from cluster.runtime.programs.program import SECOND, Exit, Response

Answered = kernel.Answered
MOST = 32
LEAD = 256 * 1024
MAIN_LEAD = 16 * 1024  # Of process 1, which writes whether somebody is attached or not.
UNREAD = 1024 * 1024
PRINTED = 64 * 1024  # Characters of a terminal's log that are kept.
REQUESTS = 500  # Lines of an access log that are kept.
CONNECTIONS = 64
MAIN, MEMORY = "main", "memory"
OTHERS_ROOT = "/proc/1/root"
# What runs on a machine, as its own namespace of processes numbers them: services, then containers between two numbers.
SERVICES = {1: ["/sbin/init"], 655: ["/usr/bin/kubelet", "--config=/var/lib/kubelet/config.yaml"]}
RUNTIME_PID, FIRST_PID, LAST_PID = 412, 1_000, 60_000
DAEMONS = {"containerd": "containerd", "cri-o": "crio", "docker": "dockerd"}
LAST_WORDS, MOST_WORDS = "/dev/termination-log", 4096
# Programs that will always say the same of the same files.
STEADY = frozenset((
    "sh", "cat", "test", "[", "echo", "printf", "true", "false", "ls", "grep", "egrep", "fgrep", "head", "wc", "cut",
    "sort", "uniq", "tr", "sed", "basename", "dirname", "expr", "readlink",
))  # fmt: skip
KILLED = 128 + SIGKILL


class ExecError(Exception):
    """The runtime can't start that process; `str()` is what containerd says."""


class Full(Exception):
    """A limit is reached; `str()` names it."""


class Door(Protocol):
    """The way out of a container: see cluster/network.py."""

    def dial(self, record: Record, pid: int, address: str, port: int, protocol: str, data: str) -> tuple[str, str, int]:
        """(fate, what came back, microseconds until then)."""

    def query(self, record: Record, pid: int, server: str, name: str, type_: str) -> Answered | None:
        """(code, records, further records) of a name server; None: nobody answers."""

    def view(self, node: str, tool: str) -> str:
        """What a tool of the kernel shows of a machine's rules."""


class Sessions:
    """All sessions of one machine's containers."""

    door: Door | None = None  # None: nothing but the container's own ports can be reached.
    mounts_of: Callable[[Record], list[Mount]] = staticmethod(lambda record: [])  # For who looks into another one …
    declared: Callable[[Record], list[int]] = staticmethod(lambda record: [])  # … or asks it.

    def __init__(self, runtime: Runtime, cells: Cells, disks: Cells) -> None:
        self.runtime, self.cells, self.disks = runtime, cells, disks
        self.containers, self.clock = runtime.containers, runtime.clock
        self.to_signal: list[tuple[str, int, int]] = []
        self.wrote = False  # Did the last run change files?
        self.allocated = False  # Do disks take more room since then than anybody has counted?
        self.space: Callable[[], tuple[int, int]] | None = None  # See Files.space.
        self.room: Callable[[int], int | None] = lambda size: None  # See Files.room.
        self.steady = False  # Was the last run a whole command that looked at nothing but files?
        self.on_kept: Callable[[Record], None] = lambda record: None  # A server has written into its files.
        self.on_ended: Callable[[Record], None] = lambda record: None  # A server is gone: what does it leave?
        runtime.on_end, runtime.on_removed = self.container_ended, self.forget

    # --- beginning and ending -------------------------------------------------------------------------------

    def begin(
        self, record: Record, identity: str, argv: Sequence[str], tty: bool, stdin: bool, mounts: list[Mount]
    ) -> str:
        """Start a process in a running container; its session's key. It has not run yet. Errors: ExecError, Full."""
        base = key_of(record["uid"], record["name"], record["attempt"])
        if self._count(base) >= MOST:
            raise Full(f"container {record['name']} has {MOST} sessions already")
        state = kernel.opened(tty, not stdin)
        shell = Kernel(state, self._container(record, base, mounts), PROGRAMS)
        found = kernel.find_program(shell, argv[0], record.get("cwd") or "/") if argv else 127
        if isinstance(found, int) or images.resolve(record["image"]).program == "pause":
            raise ExecError(_oci(argv[0] if argv else "", found if isinstance(found, int) else 127))
        env = self._environment(record)
        env |= {"TERM": "xterm"} if tty else {}
        fds = kernel.standard_fds(tty, stdin)
        proc = shell.spawn(0, list(argv), found[0], env, record.get("cwd") or "/", fds)
        proc["argv"] = [*found[1], *argv[1:]]
        state["root"] = proc["pid"]
        key = f"{base}/{identity}"
        self.cells[key] = {
            "kind": "main" if identity == MAIN else "exec",
            "tty": tty,
            "stdin": stdin,
            "state": state,
            "written": 0,
            "read": 0,
            "began": self.clock.now,
            "ended": None,
            "code": None,
        }
        return key

    def connect(self, uid: str, identity: str) -> str:
        """A port-forward to a pod; its session's key. Errors: Full."""
        if self._count(f"{uid}/-") >= MOST:
            raise Full(f"{MOST} port-forwards lead to this pod already")
        key = f"{uid}/-/{identity}"
        self.cells[key] = {
            "kind": "forward",
            "state": {"connections": {}},
            "written": 0,
            "read": 0,
            "began": self.clock.now,
            "ended": None,
            "code": None,
        }
        return key

    def _count(self, base: str) -> int:
        return sum(1 for _, cell in self.cells.prefixed(base + "/") if "kind" in cell)

    def drop(self, key: str) -> None:
        """Nobody looks at it any more: its processes hang up, its output is forgotten."""
        for one in [name for name, _ in self.cells.prefixed(key + "/out/")]:
            self.cells.pop(one)
        self.cells.pop(key)

    def forget(self, base: str) -> None:
        """A container, or a pod, is gone with everything in it."""
        for cells in (self.cells, self.disks):
            if cells.data:
                for one in [name for name, _ in cells.prefixed(base + "/")]:
                    cells.pop(one)
        self.disks.pop(base)

    def container_ended(self, record: Record) -> None:
        """The container died: so do its processes. Their readers may still fetch what they printed."""
        if record["program"] in LAST_DEEDS:
            self.on_ended(record)
        if not self.cells.data:
            return
        base = key_of(record["uid"], record["name"], record["attempt"])
        for key, cell in list(self.cells.prefixed(base + "/")):
            if cell.get("ended", 0) is None:
                self.cells[key] = {**cell, "ended": self.clock.now, "code": KILLED, "state": {}}

    # --- what comes from outside ----------------------------------------------------------------------------

    def feed(self, key: str, data: str) -> None:
        """Input for a process. Errors: Full."""
        cell = self.cells[key]
        if cell["ended"] is not None or not cell["stdin"]:
            return
        state = _copy(cell["state"])
        if len(state["stdin"]["data"]) + len(data) > UNREAD:
            raise Full(f"{UNREAD} bytes wait to be read by the program already")
        if state["tty"] is not None:
            screen, interrupted = terminal.typed(state["tty"], data)
            self._print(key, cell, [(1, screen)] if screen else [])
            if interrupted:
                state["interrupted"] = True
        elif not state["stdin"]["closed"]:
            state["stdin"]["data"] += data
        self.cells[key] = {**self.cells[key], "state": state}

    def close(self, key: str) -> None:
        """No more input will come."""
        cell = self.cells[key]
        if cell["ended"] is None:
            state = _copy(cell["state"])
            state["stdin"]["closed"] = True
            if state["tty"] is not None:
                state["tty"]["ends"] = 1
            self.cells[key] = {**cell, "state": state}

    def leave(self, key: str) -> None:
        """The client is gone. A terminal hangs up; anything else goes on, and what it prints is lost."""
        cell = self.cells[key]
        self.cells[key] = cell = {**cell, "left": True}
        self.acknowledge(key, cell["written"])
        if cell.get("tty") and cell["ended"] is None:
            self.cells[key] = {**cell, "ended": self.clock.now, "code": 128 + SIGHUP, "state": {}}
        elif cell["kind"] == "exec":
            self.close(key)

    def resize(self, key: str, columns: int, rows: int) -> None:
        cell = self.cells[key]
        if cell["ended"] is None and cell["state"]["tty"] is not None:
            state = _copy(cell["state"])
            state["tty"] |= {"columns": columns, "rows": rows}
            self.cells[key] = {**cell, "state": state}

    def acknowledge(self, key: str, offset: int) -> None:
        """The reader has everything before `offset`."""
        cell = self.cells[key]
        kept = max(cell["read"], min(offset, cell["written"]))
        for one, chunk in list(self.cells.prefixed(key + "/out/")):
            if int(one.rpartition("/")[2]) + _size(chunk["parts"]) <= kept:
                self.cells.pop(one)
        self.cells[key] = {**cell, "read": kept}

    # --- running --------------------------------------------------------------------------------------------

    def run(self, key: str, record: Record, mounts: list[Mount]) -> int | None:
        """Let the session's processes run. When they want to run again; None: not by themselves."""
        cell = self.cells.get(key)
        if cell is None or cell["ended"] is not None:
            return None
        base = key.rpartition("/")[0]
        state = _copy(cell["state"])
        unread = cell["kind"] == "main" or cell.get("left")  # Nobody has to keep up with it.
        room = LEAD if unread else LEAD - (cell["written"] - cell["read"])
        container = self._container(record, base, mounts, key)
        shell = Kernel(state, container, PROGRAMS, room)
        if state.pop("interrupted", False):
            shell.interrupt()
        whole, pids = cell["began"] == self.clock.now, len(self.to_signal)
        wake = shell.run()
        if unread and shell.throttled:
            wake = self.clock.now + SECOND
        self.wrote = bool(container.files.written)
        self.allocated = self._is_larger(container.files)
        for disk in container.files.written:
            self.disks[disk] = container.files.disks[disk]
        self._print(key, cell, shell.output, record)
        code = shell.exit_code
        still = not (self.wrote or container.files.asked_proc or len(self.to_signal) > pids)
        self.steady = code is not None and whole and still and shell.ran <= STEADY
        if code is None:
            self.cells[key] = {**self.cells[key], "state": state}
        else:
            self.cells[key] = {**self.cells[key], "state": {}, "ended": self.clock.now, "code": code}
            wake = None
        return wake

    def printed(self, key: str) -> str:
        """What a session has printed and nobody has read, both channels together."""
        chunks = sorted(self.cells.prefixed(key + "/out/"))
        text = "".join(part[1] for _, chunk in chunks for part in chunk["parts"])
        return text.encode("latin-1", "replace").decode("utf-8", "replace")

    def exit_of(self, key: str) -> Exit | None:
        """How process 1 ended, if this was it."""
        cell = self.cells.get(key)
        if cell is None or cell["kind"] != "main" or cell["ended"] is None:
            return None
        left = (self.disks.get(key.rpartition("/")[0]) or {}).get(LAST_WORDS)
        message = left[3].rstrip("\n")[:MOST_WORDS].encode("latin-1").decode("utf-8", "replace") if left else ""
        return Exit(cell["ended"], cell["code"], "Completed" if cell["code"] == 0 else "Error", message)

    def signal(self, key: str, pid: int, signal: int, record: Record, mounts: list[Mount]) -> None:
        """A signal that came from another session of the container."""
        cell = self.cells.get(key)
        if cell is None or cell["ended"] is not None:
            return
        state = _copy(cell["state"])
        shell = Kernel(state, self._container(record, key.rpartition("/")[0], mounts, key), PROGRAMS)
        shell.kill(pid, signal)
        self.cells[key] = {**cell, "state": state}
        if shell.exit_code is not None:
            self.cells[key] = {**cell, "state": {}, "ended": self.clock.now, "code": shell.exit_code}

    def _print(
        self, key: str, cell: dict[str, Any], parts: list[tuple[int, str]], record: Record | None = None
    ) -> None:
        """Append to the session's output; process 1's goes into the container's log, too."""
        if not parts or cell.get("left"):
            return
        written = cell["written"]
        self.cells[f"{key}/out/{written:015d}"] = {"at": self.clock.now, "parts": [list(part) for part in parts]}
        written += _size(parts)
        self.cells[key] = {**self.cells[key], "written": written}
        if cell["kind"] == "main":
            self._log(key.rpartition("/")[0], parts)
            self.acknowledge(key, written - MAIN_LEAD)

    def _log(self, base: str, parts: list[tuple[int, str]]) -> None:
        record = self.containers[base]
        printed = [*record.get("printed", ()), *([self.clock.now, channel, text] for channel, text in parts)]
        while sum(len(text) for _, _, text in printed) > PRINTED and len(printed) > 1:
            printed = printed[1:]
        grown = sum(len(text) + text.count("\n") * (rotation.PREFIX - 1) for _, text in parts)
        self.containers[base] = rotation.noted({**record, "printed": printed}, self.clock.now, grown)

    # --- what a process sees --------------------------------------------------------------------------------

    def _container(self, record: Record, base: str, mounts: list[Mount], key: str = "") -> Container:
        process = process_of(record, self.clock.epoch)
        files, owner = self.files(record, mounts), self._owner(record)
        others = dict(self._others(owner, key))
        if record.get("host_pid"):
            others |= dict(self._on_machine(record))
            files.share(OTHERS_ROOT, self._machine_files())
        files.proc = _proc(others, owner, self.clock.now)
        if owner is not record:
            files.share(OTHERS_ROOT, self.files(owner, self.mounts_of(owner)))
        sandbox = self.containers.get(record["uid"]) or {}
        return Container(
            process=process,
            files=files,
            now=self.clock.now,
            next_pid=lambda: self._next_pid(_base(owner)),
            signal=lambda pid, signal: self._signal_other(owner, pid, signal),
            others=others,
            addresses=[sandbox["ip"]] if sandbox.get("ip") else [],
            answer=lambda port, data: self._ask_locally(record, port, data, files),
            **self._doors(record),
        )

    def _doors(self, record: Record) -> dict[str, Any]:
        """What leads out of the container."""
        found: dict[str, Any] = {}
        if record.get("host_pid"):
            found["crictl"] = lambda words: crictl.run(words, self._seen())
        if self.door is None:
            return found
        found |= {"dial": partial(self.door.dial, record), "query": partial(self.door.query, record)}
        if record["program"] == "kube-proxy" or record.get("privileged"):
            found["view"] = partial(self.door.view, record["node"])
        return found

    def _seen(self) -> crictl.Seen:
        """What the runtime knows. O(all records)."""
        node, records = self.runtime.node, self.containers.data.values()
        return crictl.seen(node, self.runtime.machines[node], records, self.clock.now, self.clock.epoch)

    def files(self, record: Record, mounts: list[Mount]) -> Files:
        """The container's file system as it is now."""
        own = key_of(record["uid"], record["name"], record["attempt"])
        keys = {own, *(mount.disk for mount in mounts if mount.disk)}
        disks = {disk: self.disks.get(disk) or {} for disk in sorted(keys)}
        sandbox = self.containers.get(record["uid"]) or {}
        root = root_of(images.resolve(record["image"]))
        found = Files({**root, **_etc(record, sandbox.get("ip") or "")}, disks, own, mounts, self.clock.now)
        found.room, found.space = self.room, self.space or found.space
        return found

    def _environment(self, record: Record) -> dict[str, str]:
        path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return {
            "PATH": path,
            "HOSTNAME": hostname_of(record),
            **record["env"],
            "HOME": record["env"].get("HOME", "/root"),
        }

    def _next_pid(self, base: str) -> int:
        found = self.cells.get(f"{base}/pids")
        record = self.containers[base]
        first = {"terminal": 1, "nginx": 37}.get(record["program"], 7)  # nginx has workers.
        first = LAST_PID + 1 if record.get("host_pid") else first
        pid = found["next"] if found is not None else first
        self.cells[f"{base}/pids"] = {"next": max(pid + 1, 7)}
        return int(pid)

    def _owner(self, record: Record) -> Record:
        """Whose processes a container sees: its own, or those of the one that it was aimed at."""
        name = record.get("target")
        found = [each for each in self.runtime.list_containers(record["uid"]) if each["name"] == name] if name else []
        return next((each for each in found if each["started"] is not None and each["ended"] is None), record)

    def _members(self, owner: Record) -> list[str]:
        """The containers that share its processes, itself first: where their sessions are."""
        there = self.runtime.list_containers(owner["uid"])
        return [_base(owner), *(_base(each) for each in there if each.get("target") == owner["name"])]

    def _others(self, record: Record, key: str) -> Iterator[tuple[int, list[str]]]:
        """What else runs there: process 1 of `record`, and other sessions' processes."""
        if record["program"] != "terminal":
            argv = list(record["argv"])
            if record["program"] == "nginx":
                yield 1, ["nginx: master process " + " ".join(argv)]
                yield 29, ["nginx: worker process"]
                yield 30, ["nginx: worker process"]
            else:
                yield 1, argv or [record["program"]]
        for name, cell in (found for base in self._members(record) for found in self.cells.prefixed(base + "/")):
            if name != key and cell.get("ended", 0) is None:
                for proc in cell["state"].get("procs", {}).values():
                    if proc["exit"] is None:
                        yield proc["pid"], proc["argv"]

    def _on_machine(self, record: Record) -> Iterator[tuple[int, list[str]]]:
        """What runs on the machine: its services, and process 1 of every other container. O(all records)."""
        yield from SERVICES.items()
        node, runtime = self.runtime.node, self.runtime.name
        if not self.runtime.is_down:
            yield RUNTIME_PID, [f"/usr/bin/{DAEMONS.get(runtime, runtime)}"]
        for key in self.containers:
            each = self.containers[key]
            if not each.get("program") or each["node"] != node or each["id"] == record["id"]:
                continue
            if each["started"] is not None and each["ended"] is None:
                yield FIRST_PID + each["seed"] % (LAST_PID - FIRST_PID), list(each["argv"]) or [each["program"]]

    def _machine_files(self) -> Files:
        """The machine's disk."""
        node = self.runtime.node
        own = f"node/{node}"
        return Files(root_of_machine(node), {own: self.disks.get(own) or {}}, own, (), self.clock.now)

    def processes(self, record: Record) -> int:
        """How many run in a container."""
        if record["started"] is None or record["ended"] is not None:
            return 0
        return sum(1 for _ in self._others(record, ""))

    def _signal_other(self, record: Record, pid: int, signal: int) -> bool:
        for name, cell in (found for base in self._members(record) for found in self.cells.prefixed(base + "/")):
            if cell.get("ended", 0) is None and str(pid) in cell["state"].get("procs", {}):
                if (name, pid, signal) not in self.to_signal:  # One of a sort can be pending, as with any kernel.
                    self.to_signal.append((name, pid, signal))
                return True
        if record["program"] == "terminal" or pid not in (1, 29, 30):
            return False
        if signal == SIGTERM and pid == 1:
            self.terminate(self.containers[_base(record)])
        return True  # The kernel gives process 1 no default handlers: other signals are lost.

    def terminate(self, record: Record) -> None:
        """SIGTERM to process 1 from inside: it may end, and is restarted then."""
        if record["stopped"] is not None or record["ended"] is not None:
            return
        end = program_of(record, self.clock.epoch).after_sigterm(self.clock.now)
        if end is not None:
            base = key_of(record["uid"], record["name"], record["attempt"])
            self.containers[base] = {**record, "stopped": self.clock.now, "exit": list(end)}

    # --- ports ----------------------------------------------------------------------------------------------

    def next_change(self, record: Record) -> int | None:
        """When the program will answer differently by itself; None: never."""
        program, now = program_of(record, self.clock.epoch), self.clock.now
        opens = program.listens_at()
        return opens if opens > now else program.next_change(now)

    def server(self, record: Record, declared: list[int], mounts: list[Mount]) -> answers.Server:
        files = self.files(record, mounts)
        process = process_of(record, self.clock.epoch)
        program = program_of(record, self.clock.epoch)
        runs = record["started"] is not None and record["ended"] is None
        running = runs and program.listens_at() <= self.clock.now
        return answers.Server(
            program=record["program"],
            version=str(getattr(program, "version", "")),
            image=record["image"],
            hostname=process.hostname,
            started=process.date(record["started"] or 0),
            now=process.date(self.clock.now),
            read=files.read,
            is_directory=files.is_directory,
            listing=files.listing,
            root=program.root(),
            declared=declared,
            ports=program.ports(),
            respond=partial(program.respond, self.clock.now),
            reply=program.reply,
            speaks=program.speaks,
            health=partial(program.health, self.clock.now),
            listens=running,
            own=self._own_protocol(record, files),
            files=files,
            visit=self._visited(record, files),
        )

    def ask(
        self, record: Record, server: answers.Server, port: int, data: str, client: str = "127.0.0.1"
    ) -> answers.Answer:
        """What the program answers; what it remembers and what it logs is kept."""
        base = key_of(record["uid"], record["name"], record["attempt"])
        before = self.cells.get(f"{base}/{MEMORY}") or {}
        memory = _copy(before)
        answer = answers.answer(server, port, data, memory, client)
        self._keep(record, server.files)
        if memory != before:
            self.cells[f"{base}/{MEMORY}"] = memory
        if answer.data:
            record = self.containers[base]
            asked = {"hits": traffic.counted(record.get("hits", ()), self.clock.now, max(len(answer.log), 1))}
            if answer.log:
                lines = [*record.get("traffic", ()), *([self.clock.now, line] for line in answer.log)]
                asked["traffic"] = lines[-REQUESTS:]
            self.containers[base] = {**record, **asked}
        return answer

    def would_answer(self, record: Record, server: answers.Server, port: int, data: str) -> str:
        """What it would answer: nothing is remembered, counted or logged."""
        memory = _copy(self.cells.get(f"{key_of(record['uid'], record['name'], record['attempt'])}/{MEMORY}") or {})
        return answers.answer(server, port, data, memory).data

    # --- servers with a memory and files ----------------------------------------------------------------------

    def _own_protocol(self, record: Record, files: Files) -> Callable[[int, str, dict[str, Any], str], Any] | None:
        """(port, given, memory, client) to an Answer, of a program that servers/ knows."""
        serve = SERVERS.get(record["program"])
        if serve is None:
            return None
        return lambda port, given, memory, client: serve(self._place(record, files, memory, client), port, given)

    def _visited(self, record: Record, files: Files) -> Callable[[str, str, str], Response | None]:
        """(method, target, body) to the page of a site that servers/ knows; None: it is none."""
        site = SITES.get(record["program"])
        if site is None:
            return lambda method, target, body: None
        return lambda method, target, body: site(self._place(record, files, {}), method, target, body)

    def _place(self, record: Record, files: Files, memory: dict[str, Any], client: str = "127.0.0.1") -> Place:
        process, program = process_of(record, self.clock.epoch), program_of(record, self.clock.epoch)
        return Place(
            files=files,
            env=record["env"],
            now=process.date(self.clock.now),
            at=self.clock.now,
            argv=tuple(record["argv"]),
            memory=memory,
            boot=record.get("boot") or {},
            version=str(getattr(program, "version", "")),
            hostname=record["pod"],
            seed=record["seed"],
            client=client,
            call=partial(self._call, record, files),
            script=partial(self._script, record, files, memory),
        )

    def _call(self, record: Record, files: Files, host: str, port: int, data: str) -> tuple[str, str, str]:
        """A server connects to another one: (fate, address, what came back)."""
        sandbox = self.containers.get(record["uid"]) or {}
        container = Container(
            process=process_of(record, self.clock.epoch),
            files=files,
            now=self.clock.now,
            next_pid=lambda: 1,
            signal=lambda pid, signal: False,
            addresses=[sandbox["ip"]] if sandbox.get("ip") else [],
            answer=lambda port, data: self._ask_locally(record, port, data, files),
            **self._doors(record),
        )
        proc = {"pid": 1, "local": {}, "env": record["env"], "cwd": "/", "fds": {}}
        reached = connect(
            Call(Kernel(kernel.opened(False, True), container, {}), proc, [record["program"]]), host, port, data
        )
        return reached.fate, reached.address, reached.answer

    def _script(self, record: Record, files: Files, memory: dict[str, Any], path: str) -> tuple[int | None, str]:
        """A shell script of an entry point, which runs while the server listens to its own container only."""
        serve, state = SERVERS[record["program"]], kernel.opened(False, True)
        pids = count(60)

        def answer(port: int, data: str) -> str:
            try:
                said = serve(self._place(record, files, memory), port, data) if data else None
            except Exception:  # Ours: the script hears nothing.
                return ""
            return said.data if said is not None else ""

        container = Container(
            process=process_of(record, self.clock.epoch),
            files=files,
            now=self.clock.now,
            next_pid=lambda: next(pids),
            signal=lambda pid, signal: False,
            answer=answer,
        )
        shell = Kernel(state, container, PROGRAMS)
        proc = shell.spawn(0, ["sh", path], "sh", self._environment(record), "/", kernel.standard_fds(False, False))
        state["root"] = proc["pid"]
        shell.run()
        return shell.exit_code, "".join(text for _, text in shell.output)

    def _keep(self, record: Record, files: Files | None) -> None:
        """What a server has written stays on its disks."""
        if files is None or not files.written:
            return
        self.allocated = self._is_larger(files)
        for disk in files.written:
            self.disks[disk] = files.disks[disk]
        self.on_kept(record)

    def _is_larger(self, files: Files) -> bool:
        """Is a disk's first file among what was written, or has a file of zeros come, grown or gone?"""
        return files.allocated or any(disk not in self.disks for disk in files.written)

    def boot(self, record: Record, mounts: list[Mount]) -> dict[str, Any]:
        """A server starts: what it finds in its data directory, or makes there, and what it remembers from now on."""
        begin = STARTS.get(record["program"])
        if begin is None or record["script"]:
            return {}
        memory: dict[str, Any] = {}
        files = self.files(record, mounts)
        try:
            found = begin(self._place(record, files, memory))
        except Exception:  # Its data directory is a file, or a circle of links; or a bug of ours: it does not start.
            found = {"data": "no space"}
        self._keep(record, files)
        if memory:
            self.cells[f"{key_of(record['uid'], record['name'], record['attempt'])}/{MEMORY}"] = memory
        return found

    def last_words(self, record: Record, mounts: list[Mount]) -> None:
        """A server has ended: what it writes down before, if it was asked to end."""
        memory = self.cells.get(f"{key_of(record['uid'], record['name'], record['attempt'])}/{MEMORY}") or {}
        files = self.files(record, mounts)
        with suppress(Exception):  # A bug of ours in it must not end the world.
            LAST_DEEDS[record["program"]](self._place(record, files, _copy(memory)), record["code"] == 0)
        self._keep(record, files)

    def _ask_locally(self, record: Record, port: int, data: str, files: Files) -> str | None:
        """curl inside the pod, whose containers share their ports.

        The files of the own container are those of the running session, with what it has just written.
        """
        server = self.server(record, self.declared(record), [])
        server.read, server.is_directory, server.listing = files.read, files.is_directory, files.listing
        server.own, server.files = self._own_protocol(record, files), files
        if answers.is_listening(server, port):
            return self.ask(record, server, port, data).data
        sandbox = self.containers.get(record["uid"]) or {"containers": ()}
        for key in sandbox["containers"]:
            other = self.containers[key]
            if other["name"] == record["name"] or other["started"] is None or other["ended"] is not None:
                continue
            server = self.server(other, self.declared(other), self.mounts_of(other))
            if answers.is_listening(server, port):
                return self.ask(other, server, port, data).data
        return None

    def forward(self, key: str, connection: str, data: str, server: answers.Server, record: Record) -> None:
        """Bytes for connection n: what the program answers becomes output on channel n, its end one on -n - 1."""
        cell = self.cells[key]
        state = _copy(cell["state"])
        open_ = state["connections"].get(connection)
        if open_ is None:
            return
        given = open_["given"] + data
        if len(given) > UNREAD * 2:
            raise Full(f"{UNREAD * 2} bytes wait to be read by the program already")
        answer = self.ask(record, server, open_["port"], given)
        open_["given"] = given[answer.taken :]
        if answer.over:
            del state["connections"][connection]
        self.cells[key] = {**cell, "state": state}
        parts: list[tuple[int, str]] = [(int(connection), answer.data)] if answer.data else []
        if answer.over:
            parts.append((-int(connection) - 1, "."))
        self._print(key, self.cells[key], parts)

    def open_connection(self, key: str, connection: str, port: int) -> None:
        """Errors: Full."""
        cell = self.cells[key]
        state = _copy(cell["state"])
        if len(state["connections"]) >= CONNECTIONS:
            raise Full(f"{CONNECTIONS} connections are open already")
        state["connections"][connection] = {"port": port, "given": ""}
        self.cells[key] = {**cell, "state": state}

    def close_connection(self, key: str, connection: str) -> None:
        cell = self.cells[key]
        state = _copy(cell["state"])
        if state["connections"].pop(connection, None) is not None:
            self.cells[key] = {**cell, "state": state}
            self._print(key, self.cells[key], [(-int(connection) - 1, ".")])


def lost(cells: Cells, disks: Cells, keys: list[str]) -> None:
    """The machine went down with these containers: nobody can say any more what their processes would have done."""
    for table in (cells, disks):
        if table.data:
            for key in keys:
                for one in [name for name, _ in table.prefixed(key + "/")]:
                    table.pop(one)
                table.pop(key)


def _base(record: Record) -> str:
    return key_of(record["uid"], record["name"], record["attempt"])


def _copy(state: Any) -> Any:
    """A copy that may be changed: state is plain data, and stays so."""
    return orjson.loads(orjson.dumps(state))


def _size(parts: Sequence[Sequence[Any]]) -> int:
    return sum(len(part[1]) for part in parts)


def _oci(name: str, code: int) -> str:
    why = "permission denied" if code == 126 else "no such file or directory"
    text = f"stat {name}: {why}" if "/" in name else "executable file not found in $PATH"
    if code == 126:
        text = "permission denied"
    return f'OCI runtime exec failed: exec failed: unable to start container process: exec: "{name}": {text}'


def _etc(record: Record, address: str) -> dict[str, Entry]:
    """What the kubelet and the runtime put into every container."""
    namespace, pod = record["namespace"], hostname_of(record)
    hosts = (
        "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
        f"{address}\t{pod}\n"
    )
    hosts += "".join("\t".join(words) + "\n" for words in record.get("hosts", ()))
    resolv = record.get("dns") or resolvconf.usually_written(namespace)
    files = {"/etc/hostname": pod + "\n", "/etc/hosts": hosts, "/etc/resolv.conf": resolv}
    return {path: Entry(FILE, 0o644, record["created"], content) for path, content in files.items()}


def _proc(processes: dict[int, list[str]], record: Record, now: int) -> dict[str, Entry]:
    """The few files of /proc that people look at."""
    found = {"/proc": Entry(DIRECTORY, 0o555, 0)}
    files = {
        "/proc/version": "Linux version 6.12.41-orrery\n",
        "/proc/uptime": f"{(now - record['created']) / 1_000_000:.2f} 0.00\n",
        "/proc/loadavg": "0.10 0.08 0.05 1/80 100\n",
        "/proc/meminfo": "MemTotal:        8388608 kB\nMemFree:         7340032 kB\nMemAvailable:    7340032 kB\n",
        "/proc/cpuinfo": "".join(f"processor\t: {n}\nmodel name\t: Orrery\n\n" for n in range(4)),
    }
    for pid, argv in processes.items():
        found[f"/proc/{pid}"] = Entry(DIRECTORY, 0o555, 0)
        files[f"/proc/{pid}/cmdline"] = "".join(f"{word}\0" for word in argv)
        files[f"/proc/{pid}/comm"] = (argv[0] if argv else "").rpartition("/")[2][:15] + "\n"
    files["/proc/1/environ"] = "".join(f"{name}={value}\0" for name, value in record["env"].items())
    found.setdefault("/proc/1", Entry(DIRECTORY, 0o555, 0))
    return found | {path: Entry(FILE, 0o444, 0, content) for path, content in files.items()}
