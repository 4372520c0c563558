"""The recorded session of a real kubectl, played again on a running installation: 250 commands in their order.

The recording's nodes are `w-1` to `w-6`; with ORRERY_LAB=1 our kubelets do what the recording's did.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cluster.models import Cluster
from tests.kubectl.gate import gate
from tests.kubectl.outputs import REWRITES, differences
from tests.serving.installation import Installation, eventually

GOLDEN = Path(__file__).parent.parent / "golden" / "kubectl"
KUBECTL = Path(sys.executable).parent / "kubectl"
NODES = tuple(f"w-{number}" for number in range(1, 7))
NEEDS_A_KUBELET = re.compile(r"kubectl (logs|exec|attach|port-forward|cp|top|debug) ")  # The recording had none.
BY_CHANCE = re.compile(r"kubectl describe sc$|rollout status .*--timeout=1s")  # What else there is; who is quicker.
PATIENCE = 60.0
PAUSE = 4_000_000  # Simulated microseconds that the recorder waited after it had made its workloads.


class Step(NamedTuple):
    """One command: what differed. `skipped`: why it was not compared."""

    command: str
    differences: list[str]
    skipped: str = ""


class Session:
    """A terminal whose kubectl talks to `installation`."""

    def __init__(self, installation: Installation, folder: Path) -> None:
        self.installation, self.folder = installation, folder
        self.kubeconfig = installation.home / "kubeconfig"
        for name, content in json.loads((GOLDEN / "files.json").read_text()).items():
            (folder / name).write_text(content)

    def run(self, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "TERM": "dumb",
            "EDITOR": "true",
            "KUBECACHEDIR": str(self.folder / "cache"),
        }
        command = [str(KUBECTL), "--kubeconfig", str(self.kubeconfig), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=environment, input=stdin, capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip

    def names(self, resource: str, namespace: str) -> list[str]:
        return self.run("get", resource, "-n", namespace, "-o", "name").stdout.split()

    def let_pass(self, time: int) -> None:
        """Wait until the cluster's clock has gone on by `time` microseconds."""
        cluster = Cluster.objects.get(name="default")
        until = cluster.sim_now + time
        eventually(lambda: Cluster.objects.get(name="default").sim_now >= until, 60, "simulated time to pass")

    def prepare(self, namespace: str) -> None:
        """The recording's six nodes and its namespace."""
        for name in ("worker-1", "worker-2", "worker-3"):
            self.installation.ask({"type": "node-remove", "node": name})
        for name in NODES:
            spec = {"cpu": "4", "memory": "8Gi", "pods": 110, "labels": {"kwok-group": "a"}, "taints": []}
            self.installation.ask({"type": "node-add", "name": name, **spec})
        self.run("create", "ns", namespace)
        waited = self.run("wait", "--for=condition=Ready", "node", *NODES, "--timeout=60s")
        assert waited.returncode == 0, waited.stderr
        taints = ("get", "nodes", "-o", "jsonpath={.items[*].spec.taints}")
        eventually(lambda: self.run(*taints).stdout == "", 30, "nodes without taints")


def played(session: Session) -> Iterator[Step]:
    """Every recorded command, run in order."""
    transcript = json.loads((GOLDEN / "transcripts.json").read_text())
    namespace = next(m[1] for c in transcript for m in [re.search(r"create ns (kc-\w+)", c["cmd"])] if m)
    session.prepare(namespace)
    pods: list[str] = []
    for case in transcript:
        command = case["cmd"]
        if command.startswith("kubectl label pod solo") and not pods:  # When the recorder noted a pod to delete later.
            pods = sorted(name.removeprefix("pod/") for name in session.names("pods", namespace))
        if "(no change)" in case["stdout"]:  # kubectl compares the whole object: it must be at rest.
            session.let_pass(PAUSE)
        if command != "kubectl apply -f misc.yaml":
            yield _step(session, case, namespace, pods)
            continue
        there = f"/clusters/default/api/v1/namespaces/{namespace}/pods/db-1"
        with gate(session.installation.port, "/resourcequotas", there) as address:
            yield _step(session, case, namespace, pods, "--server", f"{address}/clusters/default")
        session.let_pass(PAUSE)


def _step(session: Session, case: dict[str, str], namespace: str, pods: list[str], *flags: str) -> Step:
    command = case["cmd"]
    if NEEDS_A_KUBELET.match(command):
        return Step(command, [], "the recording had no kubelet to ask")
    if BY_CHANCE.search(command) or case["rc"] == 124:
        return Step(command, [], "depends on chance")
    arguments = shlex.split(_living(command.removeprefix("kubectl "), pods))
    if case.get("user") == "alice":
        arguments = ["--as", "alice", "--as-group", "dev", *arguments]
    if arguments[0] != "-n":
        arguments = ["-n", namespace, *arguments]
    done = session.run(*flags, *arguments, stdin=case.get("stdin"))
    found = [] if done.returncode == case["rc"] else [f"exit code {done.returncode}, recorded: {case['rc']}"]
    found += differences(command, case["stdout"], done.stdout, namespace)
    found += differences(command, case["stderr"], done.stderr, namespace)
    return Step(command, found)


def _living(command: str, pods: list[str]) -> str:
    """A generated pod name of the recording becomes the first living one of the same workload."""
    for word in command.split():
        shape = _shape(word)
        if "<random>" in shape:
            alike = [pod for pod in pods if _shape(pod) == shape]
            command = command.replace(word, alike[0]) if alike else command
    return command


def _shape(name: str) -> str:
    for pattern, by, _ in REWRITES:
        name = pattern.sub(by, name)
    return name
