"""The Container Runtime Interface: the calls a kubelet makes, on whatever runtime its machine has (runtimes.py).

    RunPodSandbox -> PullImage -> CreateContainer -> StartContainer              a pod begins
    StopContainer -> StopPodSandbox -> RemovePodSandbox (and its containers)     … and ends

State is in cells, so it survives the world's process: images on the machine's disk, container and sandbox
records, and the calls themselves. A call takes effect at once and says how long it takes in simulated
microseconds; the caller waits by a timer. Durations are seeded: the same pod in the same cluster always takes
as long.

Mirrors:  k8s.io/cri-api/pkg/apis/runtime/v1/api.proto; containerd 2.1
Left out: layers, snapshots. Exec, attach and port-forward are in sessions.py.
Read next: containers.py for the records, dialogue.py for the calls.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.engine.cells import Cells
from cluster.engine.clock import Clock
from cluster.engine.dice import Dice
from cluster.runtime import images, machines, noise, runtimes, traffic
from cluster.runtime.containers import Record, StartError, argv_of, key_of, program_for, program_of
from cluster.runtime.dialogue import Dialogue, about, strings
from cluster.runtime.live.commands import COMMANDS
from cluster.runtime.network import HostLocal, Network, NoAddressLeft, setup_failed
from cluster.runtime.programs.applets import APPLETS
from cluster.runtime.programs.node import needs_shell
from cluster.runtime.programs.program import MILLISECOND, SECOND, Exit
from cluster.runtime.programs.python import needs_files

SANDBOX_TIME = (100 * MILLISECOND, 300 * MILLISECOND)
CREATE_TIME = (20 * MILLISECOND, 60 * MILLISECOND)
START_TIME = (30 * MILLISECOND, 90 * MILLISECOND)
CLEAN_UP_TIME = (30 * MILLISECOND, 90 * MILLISECOND)
REGISTRY_TIME = (250 * MILLISECOND, 600 * MILLISECOND)  # Resolving a tag, whether or not anything is fetched.
BANDWIDTH = (15, 40)  # Bytes per microsecond, that is megabytes a second, fetched and unpacked.
NETWORKING = frozenset(("wget", "curl", "nslookup", "nc", "ping"))  # Not a function of time …
WRITING = frozenset(("touch", "tee", "mkdir"))  # … files that others may look at …
LIVE = NETWORKING | WRITING | (COMMANDS.keys() - APPLETS.keys())  # … and what only the kernel of live/ has.
INTO_FILES = re.compile(r">\s*+(?![>&\s]|/dev/)")
FROM_FILES = re.compile(r"(?:\[|\btest)\s+(?:!\s+)?-[^nz\W]\s")  # Tests of files, which others may write by exec.
RARE = re.compile(  # Of the language what only the shell that lives knows: arrays, most of ${…}, <<<, ((…)), {1..3}, …
    r"\w\+?=\(|\$\{(?!\w+(?::-[^}]*)?\})|<<<|\$'|(?:^|[\s;&|({])\(\(|\{[\w,.]+\}|\bpipefail\b"
)
KEYWORDS = r"(?:do|then|else|elif|if|while|until|exec|eval|command|sudo)"  # What a command may stand behind.
COMMAND = re.compile(  # A word where a shell looks for a command.
    rf"(?:^|[;&|(`{{\n!]|\b{KEYWORDS}\s|(?<=\s)-\w*c\s)\s*(?:\w+=\S*\s+)*['\"]?(?!{KEYWORDS}\s)([\w./-]+)"
)
FORKING = re.compile(r"(?<![>&<|])&(?![>&\d])")  # Processes that others may count.
SCRIPTED = {"python": needs_files, "node": needs_shell}  # Whose scripts may need more than a function of time.
CPU_PERIOD = 100_000  # Microseconds in which a container may use its quota of CPU.
KILLED = 137  # 128 + SIGKILL
CANNOT_START = 128


def _needs_kernel(text: str) -> bool:
    """Does a script do what no function of time can?"""
    called = {word.rpartition("/")[2] for word in COMMAND.findall(text)}
    if any(each.search(text) for each in (INTO_FILES, FROM_FILES, RARE, FORKING)):
        return True
    return not LIVE.isdisjoint(called)


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull under way. `duration` includes `waiting` for pulls before it; `error`: why it will fail."""

    duration: int
    waiting: int
    size: int
    error: str = ""


class Runtime:
    """The runtime of one machine. `options["lab"]`: every image is on every disk already."""

    def __init__(
        self,
        node: str,
        machine_cells: Cells,
        containers: Cells,
        calls: Cells,
        clock: Clock,
        dice: Dice,
        options: Mapping[str, Any],
    ) -> None:
        self.node, self.machines, self.containers = node, machine_cells, containers
        self.kind = runtimes.of(machine_cells[node].get("runtime"))
        self.clock, self.dice = clock, dice
        self.network: Network = HostLocal(node, machine_cells)
        self.preloaded = bool(options.get("lab"))
        self.dialogue = Dialogue(node, calls, not self.preloaded)
        self.on_program: Callable[[str, bool], None] = lambda program, runs: None  # A program has started or ended.
        self.on_image: Callable[[], None] = lambda: None  # One more takes room on the disk, or is about to.
        self.on_end: Callable[[Record], None] = lambda record: None  # A container has ended …
        self.on_boot: Callable[[Record], dict[str, Any]] = lambda record: {}  # A server finds, or makes, its data.
        self.on_removed: Callable[[str], None] = lambda key: None  # … or was forgotten, or its pod was.

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def version(self) -> str:
        return self.kind.version

    @property
    def is_down(self) -> bool:
        """Was its service stopped? Containers don't end by that: each has a shim of its own."""
        return self.machines[self.node].get("runtime_down") is not None

    @property
    def down_for(self) -> int:
        """For how many microseconds nobody has answered; 0: it answers."""
        since = self.machines[self.node].get("runtime_down")
        return 0 if since is None else self.clock.now - int(since)

    # --- sandboxes ------------------------------------------------------------------------------------------

    def run_pod_sandbox(self, uid: str, namespace: str, pod: str, cidr: str | None) -> Record:
        """A network namespace with an address. `cidr` None: the pod uses the machine's own network.

        `created` in the answer is when it will be ready. Errors: network.NoAddressLeft.
        """
        before = self.containers.get(uid)
        if before is not None:
            self._free_address(before)
        roll, now, subject = self.dice.roll("sandbox", uid, self.clock.now), self.clock.now, f"{namespace}/{pod}"
        identity, took = noise.hexadecimal(64, roll), noise.between(*SANDBOX_TIME, roll)
        try:
            address = machines.address(self.machines[self.node]) if cidr is None else self.network.add(cidr)
        except NoAddressLeft as error:
            self.dialogue.note(now, "RunPodSandbox", subject, f"uid: {uid}", setup_failed(identity, str(error)))
            raise
        self.dialogue.note(now, "RunPodSandbox", subject, f"uid: {uid}", f"pod_sandbox_id: {identity}", took)
        state = "SANDBOX_READY" if cidr is None else f"SANDBOX_READY ip: {address}"
        self.dialogue.note(now + took, "PodSandboxStatus", subject, f"pod_sandbox_id: {identity}", f"state: {state}")
        record = {
            "id": identity,
            "uid": uid,
            "namespace": namespace,
            "pod": pod,
            "node": self.node,
            "ip": address,
            "held": cidr is not None,
            "created": now + took,
            "ended": None,
            "containers": before["containers"] if before is not None else [],
        }
        self.containers[uid] = record
        return record

    def sandbox(self, uid: str) -> Record | None:
        """PodSandboxStatus; None: there is none, or it is dead."""
        record: Record | None = self.containers.get(uid)
        return record if record is not None and record["ended"] is None else None

    def stop_pod_sandbox(self, uid: str, took: int = 0) -> None:
        """The network namespace is gone and its address free, emptyDirs are, too; records and logs stay.

        `took`: for how long the caller has waited for it.
        """
        record = self.containers.get(uid)
        if record is None or (record["ended"] is not None and not record["held"]):
            return
        self.dialogue.note_of(record, self.clock.now - took, "StopPodSandbox", took=took)
        self._free_address(record)
        self.on_removed(f"{uid}/")
        ended = self.clock.now if record["ended"] is None else record["ended"]
        self.containers[uid] = {**record, "ended": ended, "held": False}

    def remove_pod_sandbox(self, uid: str) -> None:
        """Forget the pod: its sandbox, its containers and their logs."""
        record = self.containers.pop(uid)
        if record is None:
            return
        self._free_address(record)
        known = [self.containers[key] for key in record["containers"]]
        self._last_used(known)
        for container in known:
            self.dialogue.note_of(container, self.clock.now, "RemoveContainer")
        if record["ended"] is None:
            self.dialogue.note_of(record, self.clock.now, "StopPodSandbox")
        self.dialogue.note_of(record, self.clock.now, "RemovePodSandbox")
        for key in record["containers"]:
            self.containers.pop(key)
        self.on_removed(uid)

    def container_records(self, uid: str) -> list[str]:
        """Keys of the pod's containers; none if it never had a sandbox."""
        record = self.containers.get(uid)
        return record["containers"] if record is not None else []

    def clean_up_time(self, uid: str) -> int:
        """How long StopPodSandbox takes."""
        return noise.between(*CLEAN_UP_TIME, self.dice.roll("cleanup", uid))

    def list_pod_sandboxes(self) -> list[str]:
        """Uids of the pods with a record here, sorted. O(all records): for a kubelet's start."""
        here, records = self.node, self.containers.data
        return sorted(uid for uid, record in records.items() if "ip" in record and record["node"] == here)

    def _free_address(self, record: Record) -> None:
        if record["held"]:
            self.network.remove(record["ip"])

    # --- images ---------------------------------------------------------------------------------------------

    def image_status(self, name: str, at: int | None = None) -> bool:
        """Is the image (by its full name) on the disk? `at`: when that is asked; None: now."""
        if self.preloaded:
            return True
        at = self.clock.now if at is None else at
        found = self.machines[self.node]["images"].get(name)
        present = found is not None and found["since"] <= at
        self.dialogue.note(at, "ImageStatus", name, answer=f"image: {found['pinned']}" if present else "image: none")
        return present

    def list_images(self) -> dict[str, dict[str, Any]]:
        """Full name -> {size, since, pinned} of what is on the disk now."""
        stored, now = self.machines[self.node]["images"], self.clock.now
        return {name: stored[name] for name in sorted(stored) if stored[name]["since"] <= now}

    def pull_image(self, image: images.Image, at: int | None = None) -> Pull:
        """Fetch an image; pulls of one machine go one after the other (the kubelet's serializeImagePulls).

        `at`: when it is asked for; None: now.
        """
        machine, now = self.machines[self.node], self.clock.now if at is None else at
        roll = self.dice.roll("pull", self.node, image.name, now)
        waiting = max(machine.get("pulling", 0) - now, 0)
        duration = noise.between(*REGISTRY_TIME, roll, 1)
        try:
            images.check(image)
        except images.PullError:
            problem = runtimes.not_found(self.kind, image)
            self.dialogue.note(now + waiting, "PullImage", image.name, answer=problem, took=duration)
            return Pull(waiting + duration, waiting, 0, problem)
        on_disk, until = machine["images"], now + waiting + duration
        if image.name not in on_disk:
            duration += image.size // noise.between(*BANDWIDTH, roll, 2)
            until = now + waiting + duration
            on_disk = {**on_disk, image.name: {"size": image.size, "since": until, "pinned": image.pinned}}
        self.machines[self.node] = {**machine, "pulling": until, "images": on_disk}
        answer = f"image_ref: {image.pinned}"
        self.dialogue.note(now + waiting, "PullImage", image.name, answer=answer, took=duration)
        if image.name not in machine["images"]:
            self.on_image()
        return Pull(waiting + duration, waiting, image.size)

    def remove_images(self, names: Sequence[str]) -> None:
        """They are no longer on the disk."""
        machine = self.machines[self.node]
        kept = {name: image for name, image in machine["images"].items() if name not in names}
        self.machines[self.node] = {**machine, "images": kept}
        for name in names:
            self.dialogue.note(self.clock.now, "RemoveImage", name)

    def _last_used(self, records: Sequence[Record]) -> None:
        """These containers are forgotten now."""
        machine, now = self.machines[self.node], self.clock.now
        names = {images.resolve(record["image"]).name for record in records}
        stale = [name for name in sorted(names) if name in machine["images"]]
        if stale:
            used = {name: {**machine["images"][name], "used": now} for name in stale}
            self.machines[self.node] = {**machine, "images": {**machine["images"], **used}}

    def interrupt_pulls(self) -> None:
        """The machine went down: what was still being fetched is lost."""
        machine, now = self.machines[self.node], self.clock.now
        kept = {name: image for name, image in machine["images"].items() if image["since"] <= now}
        if len(kept) < len(machine["images"]) or machine.get("pulling", 0) > now:
            self.machines[self.node] = {**machine, "images": kept, "pulling": 0}

    # --- containers -----------------------------------------------------------------------------------------

    def start_time(self, uid: str, name: str, attempt: int) -> int:
        """How long CreateContainer and StartContainer will take together."""
        return sum(self._start_times(uid, name, attempt))

    def _start_times(self, uid: str, name: str, attempt: int) -> tuple[int, int]:
        roll = self.dice.roll("start", uid, name, attempt)
        return noise.between(*CREATE_TIME, roll, 1), noise.between(*START_TIME, roll, 2)

    def create_container(
        self,
        uid: str,
        name: str,
        attempt: int,
        image: str,
        command: Sequence[str] | None,
        args: Sequence[str] | None,
        env: Mapping[str, str],
        memory: int | None,
        script: Mapping[str, Any] | None,
        extra: Mapping[str, Any] | None = None,
    ) -> Record:
        """A container in the pod's sandbox; it does not run yet. `extra`: tty, stdin, cwd, if the pod says so."""
        resolved, sandbox = images.resolve(image), self.containers[uid]
        argv = argv_of(resolved, command, args)
        seed = self.dice.roll("container", uid, name, attempt)
        key = key_of(uid, name, attempt)
        record = {
            "id": noise.hexadecimal(64, seed),
            "name": name,
            "attempt": attempt,
            "uid": uid,
            "namespace": sandbox["namespace"],
            "pod": sandbox["pod"],
            "node": self.node,
            "image": image,
            "program": "",
            "argv": list(argv),
            "env": dict(env),
            "seed": seed,
            "memory": memory,
            "script": dict(script) if script else None,
            "created": self.clock.now,
            "started": None,
            "stopped": None,
            "ended": None,
            "code": None,
            "reason": "",
            "message": "",
            **(extra or {}),
        }
        self.containers[key] = record
        self.containers[uid] = {**sandbox, "containers": [*sandbox["containers"], key]}
        create, start = self._start_times(uid, name, attempt)
        asked = f"image: {image}" + (f" attempt: {attempt}" if attempt else "")
        asked += (f" command: {strings(command)}" if command else "") + (f" args: {strings(args)}" if args else "")
        answer = f"container_id: {record['id']}"
        self.dialogue.note(
            self.clock.now - create - start, "CreateContainer", about(record), asked, answer, took=create
        )
        return record

    def start_container(self, record: Record) -> Record:
        """It runs from now on. Errors: StartError (no such program); the record says so too."""
        key = key_of(record["uid"], record["name"], record["attempt"])
        image = images.resolve(record["image"])
        try:
            # A script says how the container goes, whatever its command is called.
            program = image.program if record["script"] else program_for(image, record["argv"])
        except StartError as error:
            failed = {
                "ended": self.clock.now,
                "code": CANNOT_START,
                "reason": "StartError",
                "message": str(error),
            }
            self.containers[key] = {**record, **failed}
            self._note_start(record, f"rpc error: code = Unknown desc = {error}")
            raise
        asked = record.get("stdin") or record.get("live") or _needs_kernel(" ".join(record["argv"]))
        lives = asked if program == "busybox" else program in SCRIPTED and SCRIPTED[program](record["argv"])
        if lives and not record["script"]:
            program = "terminal"
        self.containers[key] = record = {**record, "program": program, "started": self.clock.now}
        if boot := self.on_boot(record):
            self.containers[key] = record = {**record, "boot": boot}
        self._note_start(record)
        self.on_program(program, True)
        return record

    def _note_start(self, record: Record, answer: str = "") -> None:
        took = self._start_times(record["uid"], record["name"], record["attempt"])[1]
        self.dialogue.note_of(record, self.clock.now - took, "StartContainer", answer=answer, took=took)

    def update_container_resources(self, record: Record, memory: int | None, cpu: int | None) -> None:
        """Other limits for a running container: bytes, millicores."""
        key = key_of(record["uid"], record["name"], record["attempt"])
        kept = {name: value for name, value in self.containers[key].items() if name != "cpu"}
        self.containers[key] = {**kept, "memory": memory, **({"cpu": cpu} if cpu is not None else {})}
        more = "" if cpu is None else f" cpu_quota: {cpu * CPU_PERIOD // 1000} cpu_period: {CPU_PERIOD}"
        more += "" if memory is None else f" memory_limit_in_bytes: {memory}"
        self.dialogue.note_of(record, self.clock.now, "UpdateContainerResources", more)

    def expected_end(self, record: Record) -> Exit | None:
        """How a running container will end if nobody interferes; None: it won't."""
        return program_of(record, self.clock.epoch).exit()

    def stop_container(self, record: Record, grace: int, hook: int = 0) -> Exit:
        """SIGTERM after the preStop `hook`, SIGKILL after `grace` microseconds. Returns how it will end."""
        now = self.clock.now
        key = key_of(record["uid"], record["name"], record["attempt"])
        if record["stopped"] is None:
            self.containers[key] = record = {**record, "stopped": now + hook}
        timeout = f" timeout: {(grace - hook) // SECOND}"
        self.dialogue.note_of(record, now + hook, "StopContainer", timeout, took=None)
        killed = Exit(now + grace, KILLED, "Error")
        program = program_of(record, self.clock.epoch)
        obeyed = program.after_sigterm(record["stopped"]) if grace > hook else None
        return min((end for end in (killed, program.exit(), obeyed) if end), key=lambda end: end.at)

    def kill(self, record: Record, code: int, reason: str) -> None:
        """SIGKILL from the kernel to process 1; whoever looks next finds that it has ended."""
        key = key_of(record["uid"], record["name"], record["attempt"])
        self.containers[key] = {**self.containers[key], "exit": [self.clock.now, code, reason, ""]}

    def finish_container(self, record: Record, end: Exit) -> Record:
        """What the kernel does: the process is gone. Returns the final record."""
        final = {"ended": end.at, "code": end.code, "reason": end.reason, "message": end.message}
        record = {**record, **final, **traffic.quiet(record, end.at)}
        self.containers[key_of(record["uid"], record["name"], record["attempt"])] = record
        if record["stopped"] is not None:
            self.dialogue.answered("StopContainer", about(record), end.at)
        state = f"state: CONTAINER_EXITED exit_code: {end.code} reason: {end.reason}"
        self.dialogue.note_of(record, end.at, "ContainerStatus", answer=state)
        self.on_end(record)
        self.on_program(record["program"], False)
        return record

    def remove_container(self, record: Record) -> None:
        """Forget a dead container and its logs."""
        key = key_of(record["uid"], record["name"], record["attempt"])
        self._last_used([record])
        self.dialogue.note_of(record, self.clock.now, "RemoveContainer")
        self.containers.pop(key)
        self.on_removed(key)
        sandbox = self.containers.get(record["uid"])
        if sandbox is not None:
            left = [other for other in sandbox["containers"] if other != key]
            self.containers[record["uid"]] = {**sandbox, "containers": left}

    def container_status(self, uid: str, name: str, attempt: int) -> Record | None:
        record: Record | None = self.containers.get(key_of(uid, name, attempt))
        return record

    def list_containers(self, uid: str) -> Iterator[Record]:
        """The containers of a pod, dead ones too, in order of creation."""
        sandbox = self.containers.get(uid)
        for key in sandbox["containers"] if sandbox is not None else ():
            yield self.containers[key]


def power_cut(node: str, containers: Cells, now: int, cause: str) -> list[str]:
    """Every process of the machine is gone. Returns the keys of the containers that died. O(all records)."""
    died = []
    for key, record in sorted(containers.data.items()):
        if record["node"] != node or record["ended"] is not None:
            continue
        if "ip" in record:
            containers[key] = {**record, "ended": now}
        else:
            end = {"ended": now, "code": 255, "reason": "Unknown", "cause": cause}
            containers[key] = {**record, **end, **traffic.quiet(record, now)}
            died.append(key)
    return died
