"""Replays a recording's steps on a world of our own in virtual time, and hands back its trace.

Each step is done at the simulated time at which it was recorded, through the world's API server; no wall clock is
involved. The cluster has the recorder's nodes: six that anybody may use, and pools of tainted ones for the scenarios
that break or drain theirs. It is a laboratory (option `lab`): kubelets are as terse and as quick as the recorder's.

Which of several equal nodes gets a pod is chance, in the real scheduler as in ours. Where a scenario's story depends
on it (what was on the node that died?), seeds are tried until the pods lie as they were recorded before the second
phase begins; the rest must then follow by itself.
"""

import re
from collections import Counter
from typing import Any

import orjson

from cluster.engine.clock import MINUTE, SECOND
from cluster.objects import meta, times
from cluster.world import World
from tests.builders import EPOCH, Refused, TestCluster
from tests.replay import kubectl, normal
from tests.replay.normal import words
from tests.replay.story import brief, phases
from tests.replay.tracing import Item, Tracer

COMMON = [f"w-{number}" for number in range(1, 7)]
# The recorder's pools of tainted nodes: how many, by their label `lab-pool`.
POOLS = {"fa": 3, "fc": 2, "na": 2, "da": 2, "xa": 2}
# The recorder's own little cluster for preemption: two nodes, four priorities.
PREEMPTION = "s-preempt-public"
SMALL = [{"name": "e-1", "cpu": "2"}, {"name": "e-2", "cpu": "2"}]
# The recorder's label for daemons, and the common nodes that had it.
DAEMON_LABEL = {"ds-pool": "agent"}
DAEMON_NODES = ("w-1", "w-2")
PRIORITIES = {"lowp": 10, "midp": 100, "highp": 1000, "neverp": 2000}
# Recordings whose messages count all nodes of the recorder's cluster, and how many of them were tainted.
CROWDS = {"t-pvc-wffc": 18, "t-pvc-external-provisioner-immediate": 18, "t-statefulset-pvc": 19}
# Nodes of other scenarios that came and went meanwhile: the scheduler tried waiting pods again, and counted them.
VISITS = {
    "t-statefulset-pvc": [(2.0, 3.9), (4.1, 4.1)],
    "t-pvc-external-provisioner-immediate": [(5.9, 5.9), (6.2, 6.2), (10.5, 10.5)],
}
VISITOR = "visitor"
TAINTED = [{"key": "lab", "value": "x", "effect": "NoSchedule"}]
CLASSES = {  # The recorder's storage classes: provisioner and volumeBindingMode.
    "csi-now": ("csi.example.com", "Immediate"),
    "csi-late": ("csi.example.com", "WaitForFirstConsumer"),
    "wffc": ("kubernetes.io/no-provisioner", "WaitForFirstConsumer"),
}
BOOT = 30 * SECOND  # Until the nodes are Ready and everything is quiet.
LINGER = 3.0  # The recorder went on for two quiet seconds, which its last entry does not show.
SEEDS = 200

UID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Unlucky(Exception):
    """The pods do not lie as they were recorded."""


def play(recorded: list[Item], player: "type[Player] | None" = None) -> list[Item]:
    """What our cluster does when the recorded steps are taken. Errors: AssertionError (see `Unlucky`)."""
    for seed in range(1, SEEDS):
        try:
            return (player or Player)(recorded, seed).play()
        except Unlucky:
            continue
    raise AssertionError(f"with none of {SEEDS} seeds did the pods lie on the nodes as they were recorded")


class Player:
    def __init__(self, recorded: list[Item], seed: int) -> None:
        self.recorded = recorded
        self.steps = [item for item in recorded if "STEP" in item]
        self.namespace = _namespace(self.steps)
        self.pool = _pool(self.steps)
        self.is_picky = bool(self.pool) or self.namespace == PREEMPTION  # Does it matter what lies where?
        self.cluster = TestCluster(World.create(seed, EPOCH, {"nodes": self._nodes(), "lab": True}))
        names = {i["name"] for i in recorded if i.get("kind") in ("Node", "Namespace", "PersistentVolume")}
        self.tracer = Tracer(self.namespace, names)
        self.visits = list(VISITS.get(self.namespace, ()))
        self.items: list[Item] = []
        self.counterparts: dict[str, str] = {}

    def play(self) -> list[Item]:
        self._prepare()
        numbers = phases(self.recorded)
        for number, step in enumerate(self.steps):
            self.start += int(normal.SHIFTED.get(step["STEP"], (0, ""))[0] * SECOND)
            self._visit(step["t"])
            self._run_until(step["t"])
            if self.is_picky and number and numbers[number - 1] == 1 and numbers[number] == 2:
                self._check_luck(step)
            self._collect()
            self._take(step)
        last = max(item.get("t", 0.0) for item in self.recorded)
        self._visit(last)
        self._run_until(last + LINGER)
        self._collect()
        return self.items

    def _visit(self, until: float) -> None:
        """Other scenarios' nodes that come and go before `until`."""
        while self.visits and self.visits[0][0] < until:
            came, went = self.visits.pop(0)
            self._run_until(came)
            self.cluster.act("node-add", name=VISITOR, taints=TAINTED)
            self.cluster.run_until(lambda c: c.get("Node", VISITOR) is not None)  # Nobody has looked yet.
            if went > came:
                self._run_until(went)
            self.cluster.act("node-remove", node=VISITOR)

    def _nodes(self) -> list[dict[str, Any]]:
        if self.namespace == PREEMPTION:
            return SMALL
        crowd = range(CROWDS.get(self.namespace, 0))
        return [*machines(self.pool), *({"name": f"z-{number}", "taints": TAINTED} for number in crowd)]

    # --- time ---------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self.run_to(BOOT)
        if not any((s.get("request") or {}).get("path") == "/api/v1/namespaces" for s in self.steps):
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}}
            self.cluster.create(body)
        for name, (provisioner, mode) in CLASSES.items() if self.namespace in CROWDS else ():
            kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
            self.cluster.create({**kind, "provisioner": provisioner, "volumeBindingMode": mode})
        for name, value in PRIORITIES.items() if self.namespace == PREEMPTION else ():
            policy = {"preemptionPolicy": "Never"} if name == "neverp" else {}
            kind = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass"}
            self.cluster.create({**kind, "metadata": {"name": name}, "value": value, **policy})
        self.start = BOOT + 5 * SECOND + _until_the_second(self.recorded, EPOCH + BOOT + 5 * SECOND)
        self.run_to(self.start)
        self.seen = 0
        self._collect()
        self.items.clear()

    def _run_until(self, seconds: float) -> None:
        self.run_to(max(self.start + int(seconds * SECOND), self.cluster.world.now))

    def run_to(self, moment: int) -> None:
        while not self.cluster.world.run(moment):  # Cut short by a checkpoint, which a commit makes.
            self.cluster.world.commit()
        self.cluster.world.commit()

    def _collect(self) -> None:
        """Take over what happened since the last time."""
        writes = self.cluster.world.revisions()
        for item in self.tracer.watch(writes[self.seen :]):
            self.items.append({**item, "t": item["t"] - self.start_seconds})
        self.seen = len(writes)

    @property
    def start_seconds(self) -> float:
        return self.start / SECOND

    # --- steps --------------------------------------------------------------------------------------------------

    def _take(self, step: Item) -> None:
        self.items.append({"t": step["t"], "STEP": step["STEP"]})
        text, request = step["STEP"], step.get("request")
        if request:
            self._request(step, request)
        elif text.startswith("kubectl "):
            self._kubectl(step, text)
        elif text.startswith("KUBELETS STOP"):
            for node in self._machines_in(text):
                self.cluster.power_off(node)
        elif text.startswith("KUBELETS COME BACK"):
            for name, machine in list(self.cluster.world.cells["machines"].data.items()):
                if not machine["power"]:
                    self.cluster.power_on(name)
        elif text == "stored":
            self._look(step)
        elif joins := re.match(r"node (\S+) joins with the label", text):
            self.cluster.act("node-add", name=joins[1], labels=DAEMON_LABEL)
        elif leaves := re.match(r"label removed from node (\S+)", text):
            gone = {"metadata": {"labels": dict.fromkeys(DAEMON_LABEL)}}
            self.cluster.request("PATCH", f"/api/v1/nodes/{leaves[1]}", gone, content_type=kubectl.MERGE)
        else:
            raise AssertionError(f"nobody knows how to do the step {text!r}")

    def _look(self, step: Item) -> None:
        """The recorder read what it had just created: the pod, or its containers. Ours ask for as much."""
        name = self.steps[self.steps.index(step) - 1]["request"]["body"]["metadata"]["name"]
        pod, seen = self.cluster.get("Pod", name, self.namespace), step["object"]
        assert pod is not None, f"pod {name} is not there"
        there = seen if isinstance(seen, list) else seen["spec"]["containers"]
        assert [c["resources"] for c in pod["spec"]["containers"]] == [c["resources"] for c in there]

    def _machines_in(self, text: str) -> list[str]:
        return [name for name in re.findall(r"\b[a-z]{1,2}-\d\b", text) if name in self.cluster.world.cells["machines"]]

    def _request(self, step: Item, request: Item) -> None:
        body = self._translated(request.get("body"), step)
        path, _, query = self._translated(request["path"], step).partition("?")
        try:
            answer = self.cluster.request(
                request["method"], path, body, query, content_type=_content_type(request["method"], path, body)
            )
        except Refused as refused:
            self.items.append({"t": step["t"], "RESPONSE": refused.status, "body": refused.body})
            return
        if request["method"] == "DELETE" and re.fullmatch(r"/api/v1/nodes/[^/]+", path):
            self.cluster.act("node-remove", node=path.rpartition("/")[2])  # Its kubelet would register it again.
        if answer.get("kind") == "Status":
            code = answer.get("code") or 200
            self.items.append({"t": step["t"], "RESPONSE": code, "body": answer})

    def _kubectl(self, step: Item, text: str) -> None:
        command = self._translated(text.removeprefix("kubectl "), step)
        done = next(i for i in self.recorded[self.recorded.index(step) :] if "KUBECTL" in i)
        for pause in kubectl.run(self.cluster, self.namespace, command, done["rc"] == 0):
            self.run_to(self.cluster.world.now + int(pause * SECOND))

    # --- names --------------------------------------------------------------------------------------------------

    def _translated(self, value: Any, step: Item) -> Any:
        """`value` with the recording's generated names and uids replaced by those that play their parts here."""
        if value is None:
            return None
        text = orjson.dumps(value).decode()
        for name in self._generated(step):
            if re.search(rf"(?<![\w-]){name}(?![\w-])", text):
                text = re.sub(rf"(?<![\w-]){name}(?![\w-])", self._counterpart(name, step), text)
        return orjson.loads(UID.sub(lambda match: self._uid(match[0]), text))

    def _generated(self, step: Item) -> list[str]:
        before = self.recorded[: self.recorded.index(step)]
        names = {
            i["name"]: None for i in before if i.get("kind") in ("Pod", "ReplicaSet") and words(i["name"]) != i["name"]
        }
        return sorted(names, key=len, reverse=True)

    def _uid(self, uid: str) -> str:
        for item in self.recorded:
            seen = (item.get("object") if isinstance(item.get("object"), dict) else item.get("brief")) or {}
            if uid == (seen.get("metadata") or seen).get("uid"):
                found = self.cluster.get(item["kind"], item["name"], self.namespace)
                return meta.uid(found) if found else uid
        return uid

    def _counterpart(self, name: str, step: Item) -> str:
        """Our object that is now in the state in which the recorded one was; the oldest of several."""
        if name not in self.counterparts:
            then = states(self.recorded[: self.recorded.index(step)])
            self._collect()
            now = states(self.items)
            taken = set(self.counterparts.values())
            free = [ours for ours in now if words(ours) == words(name) and ours not in taken]
            alike = [ours for ours in free if now[ours] == then.get(name)]
            assert free, f"no object of ours plays the part of {name} at the step {step['STEP']!r}"
            self.counterparts[name] = (alike or free)[0]
        return self.counterparts[name]

    # --- luck ---------------------------------------------------------------------------------------------------

    def _check_luck(self, step: Item) -> None:
        self._collect()
        if _placed(self.recorded[: self.recorded.index(step)]) != _placed(self.items):
            raise Unlucky


def machines(pool: str) -> list[dict[str, Any]]:
    """The recorder's nodes, with the scenario's own `pool`, if it has one.

    Where nodes die, other scenarios' nodes died with them, and which dead node is tainted first is the order of a Go
    map. Without those the own ones get their turn as early as they may, 10 s apart.
    """
    found: list[dict[str, Any]] = [
        {"name": name, "labels": DAEMON_LABEL} if name in DAEMON_NODES else {"name": name} for name in COMMON
    ]
    taint = {"key": "lab", "value": pool, "effect": "NoSchedule"}
    for number in range(1, POOLS.get(pool, 0) + 1):
        found.append({"name": f"{pool}-{number}", "labels": {"lab-pool": pool}, "taints": [taint]})
    return found


def states(trace: list[Item]) -> dict[str, tuple[bool, Any, Any]]:
    """{name: (is deleting, Ready, node)} of the pods and replica sets that are there at the end of `trace`."""
    found: dict[str, tuple[bool, Any, Any]] = {}
    for item in trace:
        if item.get("kind") not in ("Pod", "ReplicaSet"):
            continue
        if item["type"] == "DELETED":
            found.pop(item["name"], None)
            continue
        deleting, ready, node = found.get(item["name"], (False, None, None))
        diff = item.get("diff") or {}
        deleting = deleting or "metadata.deletionTimestamp" in diff
        ready = diff.get("status.conditions[Ready].status", ready)
        node = normal.words(diff.get("spec.nodeName") or _born_on(item) or node or "")
        found[item["name"]] = (deleting, ready, node)
    return found


def _born_on(item: Item) -> str | None:
    whole = item.get("object") or {}
    node = (whole.get("spec") or {}).get("nodeName") or (item.get("brief") or {}).get("nodeName")
    return str(node) if node else None


def _placed(trace: list[Item]) -> Counter[tuple[str, Any]]:
    """How many pods of each sort lie on each node; of daemons, which lie everywhere, none."""
    pods = {item["name"] for item in trace if item.get("kind") == "Pod"}
    foreign = {
        i["name"] for i in trace if i.get("kind") == "Pod" and any("DaemonSet/" in owner for owner in _owners(i))
    }
    return Counter((words(name), node) for name, (_, _, node) in states(trace).items() if name in pods - foreign)


def _until_the_second(recorded: list[Item], now: int) -> int:
    """How long to wait so that the clock's hand stands where it stood: cron schedules look at it."""
    made = (
        i["object"]["metadata"]["creationTimestamp"] for i in recorded if i.get("kind") == "CronJob" and "object" in i
    )
    first = next(made, None)
    return (times.parse(first) - now) % MINUTE if first else 0


def _owners(item: Item) -> list[str]:
    seen = brief(item["object"]) if "object" in item else item.get("brief") or {}
    return seen.get("owner") or []


def _namespace(steps: list[Item]) -> str:
    for step in steps:
        match = re.search(r"/namespaces/([^/]+)/", (step.get("request") or {}).get("path", ""))
        if match:
            return match[1]
    raise AssertionError("no step of the recording names a namespace")


def _pool(steps: list[Item]) -> str:
    match = re.search(r'"lab-pool":"(\w+)"', orjson.dumps([s.get("request") for s in steps]).decode())
    return match[1] if match else ""


def _content_type(method: str, path: str, body: Any) -> str:
    """The recordings do not name it; these were the recorder's habits."""
    if method != "PATCH":
        return "application/json"
    if isinstance(body, list):
        return kubectl.JSON_PATCH
    return kubectl.STRATEGIC if path.endswith("/status") else kubectl.MERGE
