"""The processes that elect: when one is started, and when one begins to lead.

Mirrors:  client-go/tools/leaderelection; cmd/kube-scheduler/app/server.go, cmd/kube-controller-manager/app
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.kubelet.node_status import VERSION
from cluster.logstore.voices.saying import Said, Step
from cluster.processes import COMPONENTS, HOST

LEASES = "/registry/leases/kube-system/"
GREETINGS = {
    "kube-scheduler": ("server.go:176", "Starting Kubernetes Scheduler"),
    "kube-controller-manager": ("controllermanager.go:191", "Starting"),
    "cloud-controller-manager": ("controllermanager.go:162", "Version"),
}
STARTED = ("controllermanager.go:797", "Started controller")


def speak(step: Step) -> Iterator[Said]:
    """A Lease that was taken just now: its holder leads, and its controllers start."""
    for change in step.of("leases"):
        process = change.key.removeprefix(LEASES)
        spec = change.new.get("spec") or {}
        if process not in GREETINGS or spec.get("acquireTime") != spec.get("renewTime"):
            continue
        machine = machine_of(spec.get("holderIdentity", ""))
        if change.verb == "create":
            yield from _greeting(process, machine)
        lock = f"kube-system/{process}"
        said = Said("leaderelection.go:272", "Successfully acquired lease", {"lock": lock})
        yield said._replace(component=process, node=machine)
        if process != "kube-scheduler":
            for name in COMPONENTS[process]:
                yield Said(*STARTED, {"controller": name}, component=process, node=machine)


def machine_of(identity: str) -> str:
    """The machine of a replica that calls itself `control-plane_<uuid>`."""
    return identity.partition("_")[0]


def started(kind: str, subject: str, body: Mapping[str, Any]) -> Iterator[Said]:
    """A replica was started: `kube-scheduler/2`."""
    process, _, number = subject.partition("/")
    if process in GREETINGS:
        yield from _greeting(process, HOST if number == "1" else f"{HOST}-{number}")


def _greeting(process: str, machine: str) -> Iterator[Said]:
    yield Said(*GREETINGS[process], {"version": VERSION}, component=process, node=machine)
    lock = f"kube-system/{process}"
    said = Said("leaderelection.go:257", "Attempting to acquire leader lease...", {"lock": lock})
    yield said._replace(component=process, node=machine)


def restarted(kind: str, subject: str, body: Mapping[str, Any]) -> Iterator[Said]:
    """One controller crashed and is there again; a whole process says so itself."""
    process = next((name for name, parts in COMPONENTS.items() if subject in parts), "")
    if process in GREETINGS and process != "kube-scheduler":
        yield Said(*STARTED, {"controller": subject}, component=process)
