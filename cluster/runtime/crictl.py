"""crictl: what a container runtime tells of its sandboxes, containers and images, as the tool prints it.

Pure: `run` is given the records of one machine and a moment, and serves the shell of a node, `manage.py crictl` and the
page alike.

Mirrors:  cri-tools 1.37 (cmd/crictl: columns, order, what is said of a missing id)
Left out: what changes something (exec, attach, port-forward, run, create, start, stop, rm, stopp, rmp, pull, rmi,
          update); info; yaml, go-template; labels; statistics of disks and inodes.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from cluster.objects import times
from cluster.runtime import images as registry
from cluster.runtime import logs, runtimes, usage
from cluster.runtime.containers import Record
from cluster.runtime.programs.program import MIB, SECOND

SHORT = 13  # Digits of an id that are shown.
COLUMN, BETWEEN = 20, 3  # A column's least width, and the blanks between two.
MOST_LINES = 10_000  # Of a log.
CHANGES = (
    "attach", "create", "exec", "port-forward", "pull", "rm", "rmi", "rmp", "run", "runp", "start", "stop", "stopp",
    "update",
)  # fmt: skip
HEADS = {
    "ps": ("CONTAINER", "IMAGE", "CREATED", "STATE", "NAME", "ATTEMPT", "POD ID", "POD", "NAMESPACE"),
    "pods": ("POD ID", "CREATED", "STATE", "NAME", "NAMESPACE", "ATTEMPT", "RUNTIME"),
    "images": ("IMAGE", "TAG", "IMAGE ID", "SIZE"),
    "stats": ("CONTAINER", "NAME", "CPU %", "MEM"),
}
Row = tuple[str, ...]


class Seen(NamedTuple):
    """A machine, the records of its sandboxes and containers, newest first, and when: microseconds since t = 0."""

    machine: Mapping[str, Any]
    records: Sequence[Record]
    now: int
    epoch: int


class Said(NamedTuple):
    code: int
    out: str
    err: str = ""


class Refused(Exception):
    """`str()` is what crictl says of it."""


def seen(node: str, machine: Mapping[str, Any], records: Iterable[Record], now: int, epoch: int) -> Seen:
    """What there is on `node`."""
    here = [each for each in records if each["node"] == node]
    return Seen(machine, sorted(here, key=lambda each: (-each["created"], each["id"])), now, epoch)


def run(words: Sequence[str], given: Seen) -> Said:
    """What `crictl WORDS…` prints."""
    words = list(words)
    while words and words[0].startswith("-"):
        name, _, value = words.pop(0).partition("=")
        if name in ("-h", "--help"):
            return Said(0, USAGE)
        if name in ("-v", "--version"):
            return Said(0, "crictl version v1.37.0\n")
        if name in ("-r", "--runtime-endpoint", "-i", "--image-endpoint", "-t", "--timeout", "-c", "--config"):
            if not value and words:
                words.pop(0)
        elif name not in ("-D", "--debug"):
            return Said(1, USAGE, f"Incorrect Usage: flag provided but not defined: {name}\n\n")
    if not words or words[0] in ("help", "h"):
        return Said(0, USAGE)
    command = ALIASES.get(words[0], words[0])
    if command in CHANGES:
        return Said(1, "", f"crictl {command}: not simulated: here crictl only looks\n")
    if command not in COMMANDS:
        return Said(3, "", f"No help topic for '{command}'\n")
    if given.machine.get("runtime_down") is not None:
        kind = runtimes.of(given.machine.get("runtime"))
        service = f'validate CRI v1 runtime API for endpoint "unix://{kind.socket}"'
        return _fatal(f"validate service connection: {service}: {runtimes.unavailable(kind)}")
    try:
        options, names = _options(command, words[1:])
        return COMMANDS[command](given, options, names)
    except Refused as error:
        return _fatal(str(error))


def _fatal(problem: str) -> Said:
    return Said(1, "", f"FATA[0000] {problem}\n")


# --- words ------------------------------------------------------------------------------------------------------

ALIASES = {"image": "images", "img": "images", "po": "pods", "list": "ps", "log": "logs"}
SHORT_FLAGS = {"a": "all", "q": "quiet", "o": "output", "n": "last", "l": "latest", "p": "pod", "s": "state"}
SHORT_OF = {"logs": {"f": "follow", "p": "previous", "t": "timestamps"}}
LISTING = ("name", "namespace", "state", "last", "output")
FLAGS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # Flags, and those that take a value.
    "ps": (("all", "quiet", "latest", "no-trunc", "verbose"), (*LISTING, "pod", "image")),
    "pods": (("quiet", "latest", "no-trunc", "verbose"), LISTING),
    "images": (("quiet", "no-trunc", "verbose", "digests"), ("output",)),
    "inspect": ((), ("output",)),
    "inspectp": ((), ("output",)),
    "inspecti": ((), ("output",)),
    "logs": (("follow", "previous", "timestamps"), ("tail", "since")),
    "stats": (("all",), ("pod",)),
}


def _options(command: str, words: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """(options by their long names, other words). Errors: Refused."""
    flags, valued = FLAGS.get(command, ((), ()))
    shorts = SHORT_OF.get(command, SHORT_FLAGS)
    found: dict[str, str] = {}
    names, rest = [], list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            names.append(word)
            continue
        spelt, given, value = word.lstrip("-").partition("=")
        name = shorts.get(spelt, spelt)
        if name in flags:
            found[name] = "true"
        elif name in valued:
            if not given and not rest:
                raise Refused(f"flag needs an argument: {word}")
            found[name] = value if given else rest.pop(0)
        else:
            raise Refused(f"flag provided but not defined: -{spelt}")
    if found.get("output", "table") not in ("table", "json"):
        raise Refused(f"unsupported output format {found['output']!r}; here there are table and json")
    return found, names


def _number(text: str, flag: str) -> int:
    """Errors: Refused."""
    if not re.fullmatch(r"-?\d{1,9}", text):
        raise Refused(f'invalid value "{text}" for flag -{flag}: strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


# --- tables -----------------------------------------------------------------------------------------------------


def table(head: Row, rows: Iterable[Row], least: int = COLUMN) -> str:
    """
    >>> table(("NAME", "SIZE"), [("web", "1MB")])
    'NAME                SIZE\\nweb                 1MB\\n'
    """
    whole = [head, *rows]
    widths = [max(least, *(len(row[n]) + BETWEEN for row in whole)) for n in range(len(head))]
    lines = ("".join(f"{text:<{wide}}" for text, wide in zip(row, widths, strict=True)) for row in whole)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def ago(now: int, moment: int) -> str:
    """
    >>> ago(125_000_000, 0), ago(30, 0)
    ('2 minutes ago', 'Less than a second ago')
    """
    seconds = max(now - moment, 0) // SECOND
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "Less than a second ago"


def is_container(record: Record) -> bool:
    return "program" in record


def state(record: Record, now: int) -> str:
    """Of a container."""
    if record["ended"] is not None:
        return "Exited"
    return "Running" if record["started"] is not None and record["started"] <= now else "Created"


def sandbox_state(record: Record) -> str:
    return "Ready" if record["ended"] is None else "NotReady"


def image_id(record: Record) -> str:
    """The digits of its image's digest."""
    return registry.resolve(record["image"]).digest.rpartition(":")[2]


def ps(given: Seen, found: Iterable[Record]) -> list[Row]:
    """Rows of `crictl ps`: see HEADS."""
    sandboxes = {each["uid"]: each["id"] for each in given.records if not is_container(each)}
    return [
        (each["id"][:SHORT], image_id(each)[:SHORT], ago(given.now, each["created"]), state(each, given.now),
         each["name"], str(each["attempt"]), sandboxes.get(each["uid"], "")[:SHORT], each["pod"], each["namespace"])
        for each in found
    ]  # fmt: skip


def containers(given: Seen, everything: bool = False) -> list[Record]:
    """Those that run; `everything`: those that have ended and those that have not begun, too."""
    found = [each for each in given.records if is_container(each)]
    return found if everything else [each for each in found if state(each, given.now) == "Running"]


def pods(given: Seen, found: Iterable[Record]) -> list[Row]:
    """Rows of `crictl pods`."""
    return [
        (each["id"][:SHORT], ago(given.now, each["created"]), sandbox_state(each), each["pod"], each["namespace"],
         "0", "(default)")
        for each in found
    ]  # fmt: skip


def images(given: Seen) -> dict[str, dict[str, Any]]:
    """Full name -> {size, since, pinned} of what is on the disk."""
    stored = given.machine.get("images") or {}
    return {name: stored[name] for name in sorted(stored) if stored[name]["since"] <= given.now}


def image_rows(found: Mapping[str, Mapping[str, Any]], digits: int | None = SHORT) -> list[Row]:
    """Rows of `crictl images`."""
    rows: list[Row] = []
    for name, image in found.items():
        repository, _, tag = name.rpartition(":")
        size, identity = image["size"], image["pinned"].rpartition("sha256:")[2][:digits]
        shown = f"{size / 1_000_000:.3g}MB" if size >= 1_000_000 else f"{size / 1000:.3g}kB"
        rows.append((repository, tag, identity, shown))
    return rows


# --- commands ---------------------------------------------------------------------------------------------------

Options = dict[str, str]


def _ps(given: Seen, options: Options, names: list[str]) -> Said:
    wanted = options.get("state", "").lower()
    if wanted not in ("", "created", "running", "exited", "unknown"):
        raise Refused(f'--state should be one of created, running, exited or unknown; got "{options["state"]}"')
    found = containers(given, everything=not options.keys().isdisjoint(("all", "state", "last", "latest")))
    sandboxes = {each["uid"]: each["id"] for each in given.records if not is_container(each)}
    found = [each for each in found if wanted in ("", state(each, given.now).lower())]
    found = [each for each in found if sandboxes.get(each["uid"], "").startswith(options.get("pod", ""))]
    found = [each for each in found if options.get("image", "") in f"{each['image']} {image_id(each)}"]
    found = list(_chosen(found, options, "name"))
    if options.get("output") == "json":
        return Said(0, _json({"containers": [_listed(given, each, sandboxes) for each in found]}))
    if "quiet" in options:
        return Said(0, "".join(f"{each['id']}\n" for each in found))
    rows = ps(given, found)
    if "no-trunc" in options:
        rows = [(each["id"], image_id(each), *row[2:]) for each, row in zip(found, rows, strict=True)]
    return Said(0, table(HEADS["ps"], rows))


def _chosen(found: Iterable[Record], options: Options, name: str) -> Iterator[Record]:
    """By name, namespace and number: the newest come first. Errors: Refused."""
    most = 1 if "latest" in options else _number(options["last"], "last") if "last" in options else None
    for each in list(found)[:most]:
        if options.get("name", "") in each[name] and options.get("namespace", "") in ("", each["namespace"]):
            yield each


def _listed(given: Seen, each: Record, sandboxes: Mapping[str, str]) -> dict[str, Any]:
    return {
        "id": each["id"],
        "podSandboxId": sandboxes.get(each["uid"], ""),
        "metadata": {"name": each["name"], "attempt": each["attempt"]},
        "image": {"image": image_id(each)},
        "imageRef": image_id(each),
        "state": f"CONTAINER_{state(each, given.now).upper()}",
        "createdAt": str((given.epoch + each["created"]) * 1000),
        "labels": _labels(each),
    }


def _pods(given: Seen, options: Options, names: list[str]) -> Said:
    wanted = options.get("state", "").lower()
    if wanted not in ("", "ready", "notready"):
        raise Refused(f'--state should be ready or notready; got "{options["state"]}"')
    found = [each for each in given.records if not is_container(each)]
    found = [each for each in found if wanted in ("", sandbox_state(each).lower())]
    found = list(_chosen(found, options, "pod"))
    if options.get("output") == "json":
        items = [
            {
                "id": each["id"],
                "metadata": {"name": each["pod"], "uid": each["uid"], "namespace": each["namespace"], "attempt": 0},
                "state": f"SANDBOX_{sandbox_state(each).upper()}",
                "createdAt": str((given.epoch + each["created"]) * 1000),
                "labels": _labels(each),
                "runtimeHandler": "",
            }
            for each in found
        ]
        return Said(0, _json({"items": items}))
    if "quiet" in options:
        return Said(0, "".join(f"{each['id']}\n" for each in found))
    rows = pods(given, found)
    if "no-trunc" in options:
        rows = [(each["id"], *row[1:]) for each, row in zip(found, rows, strict=True)]
    return Said(0, table(HEADS["pods"], rows))


def _images(given: Seen, options: Options, names: list[str]) -> Said:
    found = {name: each for name, each in images(given).items() if not names or _is_called(name, names[0])}
    if options.get("output") == "json":
        return Said(0, _json({"images": [_image(name, each) for name, each in found.items()]}))
    if "quiet" in options:
        return Said(0, "".join(f"sha256:{each['pinned'].rpartition('sha256:')[2]}\n" for each in found.values()))
    return Said(0, table(HEADS["images"], image_rows(found, None if "no-trunc" in options else SHORT)))


def _is_called(name: str, wanted: str) -> bool:
    """Is an image's full name what somebody means by `wanted`?"""
    try:
        meant = registry.resolve(wanted)
    except registry.InvalidImageName:
        return False
    return name == meant.name or (":" not in wanted and name.rpartition(":")[0] == meant.repository)


def _image(name: str, each: Mapping[str, Any]) -> dict[str, Any]:
    identity = "sha256:" + each["pinned"].rpartition("sha256:")[2]
    return {"id": identity, "repoTags": [name], "repoDigests": [each["pinned"]], "size": str(each["size"]),
            "username": "", "pinned": False}  # fmt: skip


def find(given: Seen, identity: str, container: bool | None = None) -> Record | None:
    """The container (True), the sandbox (False) or either, whose id begins so."""
    found = (each for each in given.records if container is None or is_container(each) == container)
    return next((each for each in found if identity and each["id"].startswith(identity)), None)


def _found(given: Seen, identity: str, container: bool, doing: str) -> Record:
    """Errors: Refused."""
    record = find(given, identity, container)
    if record is None:
        what = "container" if container else "sandbox"
        where = f'an error occurred when try to find {what} "{identity}": not found'
        raise Refused(f"{doing}rpc error: code = NotFound desc = {where}")
    return record


def _inspect(given: Seen, options: Options, names: list[str]) -> Said:
    _need(names, "ID cannot be empty")
    told = [
        inspected(given, _found(given, name, True, f'getting the status of the container "{name}": ')) for name in names
    ]
    return Said(0, "".join(map(_json, told)))


def _inspectp(given: Seen, options: Options, names: list[str]) -> Said:
    _need(names, "ID cannot be empty")
    told = [
        inspected(given, _found(given, name, False, f'getting the status of the pod sandbox "{name}": '))
        for name in names
    ]
    return Said(0, "".join(map(_json, told)))


def _inspecti(given: Seen, options: Options, names: list[str]) -> Said:
    _need(names, "ID cannot be empty")
    text = ""
    for wanted in names:
        bare = wanted.removeprefix("sha256:")
        known = images(given).items()
        found = [
            (name, each) for name, each in known
            if _is_called(name, wanted) or each["pinned"].rpartition("sha256:")[2].startswith(bare)
        ]  # fmt: skip
        if not found:
            raise Refused(f'no such image "{wanted}" present')
        text += _json({"status": _image(*found[0])})
    return Said(0, text)


def inspected(given: Seen, record: Record) -> dict[str, Any]:
    """What `crictl inspect` says of a container, or `inspectp` of a sandbox."""

    def stamp(moment: int | None) -> str:
        return times.rfc3339_micro(given.epoch + moment) if moment is not None else ""

    status: dict[str, Any] = {"id": record["id"], "metadata": {"name": record.get("name", record["pod"])}}
    if not is_container(record):
        status["metadata"] |= {"attempt": 0, "namespace": record["namespace"], "uid": record["uid"]}
        status |= {
            "state": f"SANDBOX_{sandbox_state(record).upper()}",
            "createdAt": stamp(record["created"]),
            "network": {"ip": record["ip"], "additionalIps": []},
            "labels": _labels(record),
        }
        return {"status": status}
    status["metadata"]["attempt"] = record["attempt"]
    status |= {
        "state": f"CONTAINER_{state(record, given.now).upper()}",
        "createdAt": stamp(record["created"]),
        "startedAt": stamp(record["started"]),
        "finishedAt": stamp(record["ended"]),
        "exitCode": record["code"] or 0,
        "image": {"image": registry.resolve(record["image"]).name},
        "imageRef": registry.resolve(record["image"]).pinned,
        "reason": record["reason"],
        "message": record["message"],
        "labels": _labels(record),
        "logPath": f"/var/log/pods/{record['namespace']}_{record['pod']}_{record['uid']}/{record['name']}"
        f"/{record['attempt']}.log",
        "resources": {"linux": {"memoryLimitInBytes": str(record["memory"] or 0)}},
    }
    return {"status": status, "info": {"config": {"command": record["argv"], "envs": record["env"]}}}


def _labels(record: Record) -> dict[str, str]:
    labels = {
        "io.kubernetes.pod.name": record["pod"],
        "io.kubernetes.pod.namespace": record["namespace"],
        "io.kubernetes.pod.uid": record["uid"],
    }
    if is_container(record):
        labels["io.kubernetes.container.name"] = record["name"]
    return labels


def _logs(given: Seen, options: Options, names: list[str]) -> Said:
    _need(names, "ID cannot be empty")
    record = _found(given, names[0], True, "")
    if "previous" in options:
        same = [each for each in given.records if is_container(each) and each["uid"] == record["uid"]]
        before = [each for each in same if each["name"] == record["name"] and each["attempt"] < record["attempt"]]
        if not before:
            raise Refused(f'failed to find the previous terminated container of "{names[0]}"')
        record = max(before, key=lambda each: int(each["attempt"]))
    count = _number(options["tail"], "tail") if "tail" in options else -1
    since = _since(given, options["since"]) if "since" in options else 0
    lines = logs.tail(record, MOST_LINES if count < 0 else min(count, MOST_LINES), given.now, given.epoch, since)
    texts: dict[str, str] = {"stdout": "", "stderr": ""}
    for line in lines:
        stamp = f"{times.rfc3339_micro(given.epoch + line.at)} " if "timestamps" in options else ""
        texts[line.stream] += f"{stamp}{line.text}\n"
    return Said(0, texts["stdout"], texts["stderr"])


UNITS = {"ms": 1_000, "s": SECOND, "m": 60 * SECOND, "h": 3_600 * SECOND}


def _since(given: Seen, text: str) -> int:
    """Microseconds since t = 0 of `5m`, `1h30m` or a timestamp. Errors: Refused."""
    if re.fullmatch(r"(\d{1,6}(ms|s|m|h))+", text):
        parts = re.findall(r"(\d+)(ms|s|m|h)", text)
        return given.now - sum(int(count) * UNITS[unit] for count, unit in parts)
    try:
        return times.parse(text) - given.epoch
    except ValueError:
        raise Refused(f'failed to parse timestamp value for "since": {text}') from None


def _stats(given: Seen, options: Options, names: list[str]) -> Said:
    found = containers(given, "all" in options)
    sandboxes = {each["uid"]: each["id"] for each in given.records if not is_container(each)}
    found = [each for each in found if sandboxes.get(each["uid"], "").startswith(options.get("pod", ""))]
    found = [each for each in found if not names or each["id"].startswith(names[0])]
    rows = []
    for each in found:
        used = usage.at(each, given.now, given.epoch)
        memory = f"{used.memory_bytes / 1_000_000:.4g}MB" if used.memory_bytes >= MIB else f"{used.memory_bytes}B"
        rows.append((each["id"][:SHORT], each["name"], f"{used.cpu_millicores / 10:.2f}", memory))
    return Said(0, table(HEADS["stats"], rows))


def _version(given: Seen, options: Options, names: list[str]) -> Said:
    kind = runtimes.of(given.machine.get("runtime"))
    number = kind.version if kind.name != "containerd" else f"v{kind.version}"
    return Said(
        0, f"Version:  0.1.0\nRuntimeName:  {kind.name}\nRuntimeVersion:  {number}\nRuntimeApiVersion:  v1\n"
    )


def _need(names: Sequence[str], problem: str) -> None:
    if not names:
        raise Refused(problem)


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n"


COMMANDS: dict[str, Callable[[Seen, Options, list[str]], Said]] = {
    "ps": _ps, "pods": _pods, "images": _images, "inspect": _inspect, "inspectp": _inspectp, "inspecti": _inspecti,
    "logs": _logs, "stats": _stats, "version": _version,
}  # fmt: skip
USAGE = """NAME:
   crictl - client for CRI

USAGE:
   crictl [global options] command [command options] [arguments...]

COMMANDS:
   images, image, img  List images
   inspect             Display the status of one or more containers
   inspecti            Return the status of one or more images
   inspectp            Display the status of one or more pods
   logs                Fetch the logs of a container
   pods                List pods
   ps                  List containers
   stats               List container(s) resource usage statistics
   version             Display runtime version information
"""
