"""The Container Runtime Interface: the calls a kubelet makes, here on containerd.

    RunPodSandbox -> PullImage -> CreateContainer -> StartContainer      a pod begins
    StopContainer -> RemoveContainer -> StopPodSandbox -> RemovePodSandbox   … and ends

State is in cells, so it survives the world's process: images on each machine's disk, container and sandbox
records. A call takes effect at once and returns its duration in simulated microseconds; the caller waits by a
timer. Durations are seeded: the same pod in the same cluster always takes as long.

Mirrors:  k8s.io/cri-api/pkg/apis/runtime/v1/api.proto; containerd 2.1
Left out: image garbage collection, layers, snapshots, exec (later, in shell/).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cluster.engine.cells import Cells
from cluster.engine.clock import Clock
from cluster.engine.dice import Dice
from cluster.runtime import images, noise
from cluster.runtime.containers import Record, argv_of, key_of, program_for, program_of
from cluster.runtime.network import Network
from cluster.runtime.programs.program import MILLISECOND, Exit

SANDBOX_TIME = (100 * MILLISECOND, 300 * MILLISECOND)
CREATE_TIME = (20 * MILLISECOND, 60 * MILLISECOND)
START_TIME = (30 * MILLISECOND, 90 * MILLISECOND)
REGISTRY_TIME = (250 * MILLISECOND, 600 * MILLISECOND)  # Resolving a tag, whether or not anything is fetched.
BANDWIDTH = (15, 40)  # Bytes per microsecond, that is megabytes a second, fetched and unpacked.
KILLED = 137  # 128 + SIGKILL


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull under way. `duration` includes `waiting` for pulls before it; `error`: why it will fail."""

    duration: int
    waiting: int
    size: int
    error: str = ""


class Cri:
    """One runtime for all machines; every call names the machine or something that lives on it."""

    name = "containerd"
    version = "2.1.0"

    def __init__(
        self,
        machines: Cells,
        containers: Cells,
        clock: Clock,
        dice: Dice,
        network: Network,
        preloaded: bool = False,
    ) -> None:
        """`preloaded`: every image is on every disk already."""
        self.machines, self.containers, self.clock, self.dice = machines, containers, clock, dice
        self.network, self.preloaded = network, preloaded
        self._of_pod: dict[str, dict[str, None]] = {}  # Derived: pod uid -> keys of its records.
        self._of_node: dict[str, dict[str, None]] = {}  # Derived: node -> pod uids with a sandbox.
        for key in containers:
            if not key.startswith("ipam/"):
                self._index(key, containers[key])

    def _index(self, key: str, record: Record) -> None:
        self._of_pod.setdefault(record["uid"], {})[key] = None
        if "ip" in record:
            self._of_node.setdefault(record["node"], {})[record["uid"]] = None

    # ---- sandboxes -------------------------------------------------------------------------------------

    def run_pod_sandbox(self, node: str, uid: str, namespace: str, pod: str, cidr: str | None) -> int:
        """A network namespace with an address. `cidr` None: the pod uses the machine's own network.

        Errors: network.NoAddressLeft."""
        address = self.machines[node]["address"] if cidr is None else self.network.add(node, cidr, uid)
        roll = self.dice.roll("sandbox", uid, self.clock.now)
        duration = noise.between(*SANDBOX_TIME, roll)
        self.containers[uid] = record = {
            "id": noise.hexadecimal(64, roll),
            "uid": uid,
            "namespace": namespace,
            "pod": pod,
            "node": node,
            "ip": address,
            "own": cidr is not None,
            "created": self.clock.now + duration,
            "ended": None,
        }
        self._index(uid, record)
        return duration

    def sandbox(self, uid: str) -> Record | None:
        """PodSandboxStatus; None: there is none, or it is dead."""
        record = self.containers.get(uid)
        return record if record is not None and record["ended"] is None else None

    def stop_pod_sandbox(self, uid: str) -> None:
        record = self.sandbox(uid)
        if record is None:
            return
        if record["own"]:
            self.network.remove(record["node"], record["ip"])
        self.containers[uid] = {**record, "ended": self.clock.now}

    def remove_pod_sandbox(self, uid: str) -> None:
        """Forget the pod: its sandbox, its containers and their logs."""
        self.stop_pod_sandbox(uid)
        record = self.containers.get(uid)
        if record is not None:
            self._of_node.get(record["node"], {}).pop(uid, None)
        for key in self._of_pod.pop(uid, {}):
            self.containers.pop(key)

    def list_pod_sandboxes(self, node: str) -> list[str]:
        """Uids of the pods with a record on `node`, sorted."""
        return sorted(self._of_node.get(node, ()))

    # ---- images ----------------------------------------------------------------------------------------

    def image_status(self, node: str, name: str) -> bool:
        """Is the image (by its full name) on the machine's disk?"""
        if self.preloaded:
            return True
        found = self.machines[node]["images"].get(name)
        return found is not None and found["since"] <= self.clock.now

    def list_images(self, node: str) -> dict[str, dict[str, Any]]:
        """Full name -> {size, since, …} of what is on the disk now."""
        stored, now = self.machines[node]["images"], self.clock.now
        return {name: stored[name] for name in sorted(stored) if stored[name]["since"] <= now}

    def pull_image(self, node: str, image: images.Image) -> Pull:
        """Fetch an image; pulls of one machine go one after the other (the kubelet's serializeImagePulls)."""
        machine, now = self.machines[node], self.clock.now
        roll = self.dice.roll("pull", node, image.name, now)
        waiting = max(machine["pulling"] - now, 0)
        duration = noise.between(*REGISTRY_TIME, roll, 1)
        try:
            images.check(image)
        except images.PullError as error:
            return Pull(waiting + duration, waiting, 0, str(error))
        if image.name not in machine["images"]:
            duration += image.size // noise.between(*BANDWIDTH, roll, 2)
        until = now + waiting + duration
        stored = {"size": image.size, "since": until, "pinned": image.pinned}
        on_disk = {image.name: stored, **machine["images"]}
        self.machines[node] = {**machine, "pulling": until, "images": on_disk}
        return Pull(waiting + duration, waiting, image.size)

    # ---- containers ------------------------------------------------------------------------------------

    def start_time(self, uid: str, name: str, attempt: int) -> int:
        """How long CreateContainer and StartContainer will take together."""
        roll = self.dice.roll("start", uid, name, attempt)
        return noise.between(*CREATE_TIME, roll, 1) + noise.between(*START_TIME, roll, 2)

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
    ) -> str:
        """Its record's key. Errors: StartError if the image has no such program, as runc would find out."""
        resolved, sandbox = images.resolve(image), self.containers[uid]
        argv = argv_of(resolved, command, args)
        seed = self.dice.roll("container", uid, name, attempt)
        key = key_of(uid, name, attempt)
        self.containers[key] = record = {
            "id": noise.hexadecimal(64, seed),
            "name": name,
            "attempt": attempt,
            "uid": uid,
            "namespace": sandbox["namespace"],
            "pod": sandbox["pod"],
            "node": sandbox["node"],
            "image": image,
            "program": program_for(resolved, argv),
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
        }
        self._index(key, record)
        return key

    def start_container(self, key: str) -> Exit | None:
        """It runs from now on. Returns how it will end if nobody interferes."""
        self.containers[key] = record = {**self.containers[key], "started": self.clock.now}
        return program_of(record, self.clock.epoch).exit()

    def stop_container(self, key: str, grace: int) -> Exit:
        """SIGTERM now, SIGKILL after `grace` microseconds. Returns how it will end."""
        self.containers[key] = record = {**self.containers[key], "stopped": self.clock.now}
        killed = Exit(self.clock.now + grace, KILLED, "Error")
        program = program_of(record, self.clock.epoch)
        obeyed = program.after_sigterm(self.clock.now) if grace > 0 else None
        return min((end for end in (killed, program.exit(), obeyed) if end), key=lambda end: end.at)

    def finish_container(self, key: str, end: Exit) -> Record:
        """What the kernel does: the process is gone. Returns the final record."""
        self.containers[key] = record = {
            **self.containers[key],
            "ended": end.at,
            "code": end.code,
            "reason": end.reason,
            "message": end.message,
        }
        return record

    def remove_container(self, key: str) -> None:
        """Forget a dead container and its logs."""
        record = self.containers.pop(key)
        if record is not None:
            self._of_pod.get(record["uid"], {}).pop(key, None)

    def container_status(self, key: str) -> Record | None:
        record: Record | None = self.containers.get(key)
        return record

    def list_containers(self, uid: str) -> list[Record]:
        """The containers of a pod, dead ones too: by name, then attempt."""
        records = [self.containers[key] for key in self._of_pod.get(uid, ()) if key != uid]
        return sorted(records, key=lambda record: (record["name"], record["attempt"]))

    def running_on(self, node: str) -> Iterator[Record]:
        """Running containers of a machine, in order of pod uid and name."""
        for uid in self.list_pod_sandboxes(node):
            for record in self.list_containers(uid):
                if record["started"] is not None and record["ended"] is None:
                    yield record

    # ---- the plug --------------------------------------------------------------------------------------

    def power_off(self, node: str) -> list[str]:
        """Every process of the machine is gone, unfinished pulls too. Returns the keys of what died."""
        died = []
        for uid in self.list_pod_sandboxes(node):
            self.stop_pod_sandbox(uid)
            for record in self.list_containers(uid):
                if record["ended"] is None:
                    key = key_of(uid, record["name"], record["attempt"])
                    self.finish_container(key, Exit(self.clock.now, 255, "Unknown"))
                    died.append(key)
        machine, now = self.machines[node], self.clock.now
        kept = {name: image for name, image in machine["images"].items() if image["since"] <= now}
        self.machines[node] = {**machine, "power": False, "images": kept, "pulling": 0}
        return died

    def power_on(self, node: str) -> None:
        machine = self.machines[node]
        self.machines[node] = {**machine, "power": True, "boot": machine["boot"] + 1}
