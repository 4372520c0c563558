"""The container record: all that is known of a container, as plain data, and the program that belongs to it.

    id         64 hex digits                  program    which program plays its part
    name       in its pod                     argv       what was started
    attempt    0, 1, 2 … a restart each       env        name -> value
    uid        of its pod                     seed       for everything that looks random
    namespace, pod, node                      memory     limit in bytes, or None
    image      as the pod spells it           script     from annotations, or None
    created started stopped ended             microseconds since t = 0; None: not yet; stopped: by SIGTERM
    code reason message                       how it ended

Some have more: tty and stdin (as the pod asks, if it does); cpu, its limit in millicores; live, if others look at its
files, or it at theirs; hits, load and flow, requests by time (see traffic.py); traffic, lines of an access log as
[at, line]; of a server with a data directory: boot, what it found there (see servers/starts.py); of a process that
lives: printed, as [at, channel, text]; exit, how it has ended, as [at, code, reason, message]; logged, rotated and
full_at, of its log's files (see rotation.py); rotate, [bytes, files], if its node keeps logs differently; hostname, if
it is not the pod's name; target, the container whose processes it shares; host_pid, if it shares its machine's;
privileged, if it may look at its machine's packet rules; user, [uid, gid, its groups …], if it is not root.

A sandbox record has id, uid, namespace, pod, node, ip, created, ended, containers (their keys, oldest first)
and held (does it hold its address?). Keys: `<uid>/<name>/<attempt>`, and `<uid>` for the sandbox. Whoever has
the record and the cluster's epoch can compute logs and usage, long after the container ended.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.runtime.images import CALLED, Image
from cluster.runtime.live.roots import root_of
from cluster.runtime.programs import PROGRAMS
from cluster.runtime.programs.applets import APPLETS
from cluster.runtime.programs.busybox import SHELLS
from cluster.runtime.programs.program import Process, Program
from cluster.runtime.programs.scripted import Scripted
from cluster.runtime.programs.terminal import Terminal

Record = dict[str, Any]
ENTRYPOINTS = ("docker-entrypoint.sh", "entrypoint.sh", "tini")
NOT_IN_PATH = "executable file not found in $PATH"
RUNC = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: error during container init: "
)


class StartError(Exception):
    """The image has no such program. `str()` is what runc says."""


def key_of(uid: str, name: str, attempt: int) -> str:
    """Where the record lives."""
    return f"{uid}/{name}/{attempt}"


def argv_of(image: Image, command: Sequence[str] | None, args: Sequence[str] | None) -> tuple[str, ...]:
    """What is started: `command` replaces the image's entry point, `args` its arguments."""
    if command:
        return (*command, *(args or ()))
    if args:
        behind = image.entrypoint or args[0].startswith("-")
        return (*image.command[:1], *args) if behind else tuple(args)
    return image.command


def program_for(image: Image, argv: Sequence[str]) -> str:
    """The name of the program that plays `argv` in a container of `image`. Errors: StartError.

    >>> from cluster.runtime.images import resolve
    >>> program_for(resolve("nginx"), ("sleep", "5")), program_for(resolve("acme/shop"), ("/app/shop",))
    ('busybox', 'generic')
    """
    if not argv or (image.program == "generic" and not _is_shell(argv[0])):
        return image.program
    first = _base(argv[0])
    if (image.command and first == _base(image.command[0])) or first in (*ENTRYPOINTS, *CALLED.get(image.program, ())):
        return image.program
    if f"/bin/{first}" in root_of(image):
        return "busybox"
    missing = f"stat {argv[0]}: no such file or directory" if "/" in argv[0] else NOT_IN_PATH
    raise StartError(f'{RUNC}exec: "{argv[0]}": {missing}')


def hostname_of(record: Mapping[str, Any]) -> str:
    """The name that a container finds on its machine: its pod's, unless that says otherwise."""
    return str(record.get("hostname") or record["pod"])


def process_of(record: Mapping[str, Any], epoch: int) -> Process:
    """Process 1 of a container. `epoch`: microseconds from 1970 to t = 0."""
    return Process(
        image=record["image"],
        argv=tuple(record["argv"]),
        env=record["env"],
        seed=record["seed"],
        started=record["started"] or 0,
        stopped=record["stopped"],
        memory_limit=record["memory"],
        hostname=hostname_of(record),
        epoch=epoch,
        user=tuple(record.get("user", (0, 0))),
        boot=record.get("boot") or {},
    )


def program_of(record: Mapping[str, Any], epoch: int) -> Program:
    """The program of a container that has started."""
    process = process_of(record, epoch)
    if record["program"] == "terminal":
        return Terminal(process, record.get("printed", ()), record.get("exit"))
    program = PROGRAMS[record["program"]](process)
    program.traffic, program.flow = record.get("traffic", ()), record.get("flow", ())
    return Scripted(program, record["script"]) if record["script"] else program


def _base(path: str) -> str:
    return path.rpartition("/")[2]


def _is_shell(path: str) -> bool:
    return _base(path) in SHELLS or _base(path) in APPLETS
