"""Why is it so? A walk along the causes that every revision carries, never a guess.

    bound ← created ← old pod deleted ← NoExecute taint ← NodeStatusUnknown ← missed lease ← the power-off

`explain` works on committed records, so that a page, the command line and a test get the same story. A link says who
did what to which object at which step; `causes` are the strings of engine/cause.py; `evidence` are the objects that
the step named as its reasons.

Read next: engine/cause.py; scheduler/explain.py for the verdict node by node.
"""

import itertools
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from cluster.apiserver import commits
from cluster.engine.cause import parse
from cluster.engine.clock import SECOND
from cluster.models import Cluster, Input, PhysicalEvent, Verdict
from cluster.objects import Manifest, errors

MAX_LINKS = 40


class Records(Protocol):
    """Where the walk reads: committed rows, or a world in memory."""

    def revision(self, number: int) -> commits.Write | None: ...
    def log_of(self, key: str) -> list[commits.Write]: ...
    def physical(self, number: int) -> commits.EventRow | None: ...
    def stops_of(self, component: str, after_step: int) -> list[commits.EventRow]: ...
    def input(self, ordinal: int) -> commits.InputRow | None: ...
    def verdict(self, uid: str) -> dict[str, Any] | None: ...
    def cell(self, key: str) -> Any: ...
    def now(self) -> int: ...


@dataclass
class Link:
    """One step of the story. `sim_time`: microseconds; `waited`: how long its cause's timer ran, microseconds."""

    step: int
    sim_time: int
    actor: str
    verb: str
    object: str
    revision: int
    causes: list[str]
    evidence: list[dict[str, Any]]
    text: str
    waited: int = 0

    def as_json(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "simTime": self.sim_time,
            "actor": self.actor,
            "verb": self.verb,
            "object": self.object,
            "revision": self.revision,
            "causes": self.causes,
            "evidence": self.evidence,
            "text": self.text,
            "waited": self.waited,
        }


def explain(records: Records, kind: str, namespace: str, name: str) -> dict[str, Any]:
    """{object, verdict, chain}: newest link first. Errors: NotFound if the object never existed."""
    resource = commits.resource_of(kind)
    log = records.log_of(resource.storage_key(namespace if resource.namespaced else "", name))
    if not log:
        raise errors.NotFound(resource.group, resource.plural, name)
    start = _turning_point(log)
    current = orjson.loads(log[-1].value)
    chain = walk(records, start)
    verdict = _verdict(records, current, log[-1])
    return {"object": _title(current), "verdict": verdict, "chain": [link.as_json() for link in chain]}


def walk(records: Records, start: commits.Write) -> list[Link]:
    """From one revision back along its decisive causes, to an input, a machine, or the cluster's birth."""
    chain: list[Link] = []
    seen: set[str] = set()
    cause, waited = f"r{start.revision}", 0
    while cause and cause not in seen and len(chain) < MAX_LINKS:
        seen.add(cause)
        link, following = _link(records, cause)
        if link is None:
            break
        if chain:
            chain[-1].waited = waited
        chain.append(link)
        cause, waited = _decisive(records, following, seen)
    return chain


def _link(records: Records, cause: str) -> tuple[Link | None, list[str]]:
    """What `cause` stands for, and what caused that in turn."""
    if cause.startswith("r"):
        return _revision_link(records, int(cause[1:]))
    if cause.startswith("silence:"):
        return _silence_link(records, cause)
    if cause.startswith("p"):
        return _physical_link(records, int(cause[1:]))
    if cause.startswith("i"):
        return _input_link(records, int(cause[1:])), []
    if cause == "boot":
        text = "The cluster was built."
        return Link(0, 0, "boot", "booted", "Cluster", 0, [], [], text), []
    return None, []


def _revision_link(records: Records, number: int) -> tuple[Link | None, list[str]]:
    write = records.revision(number)
    if write is None:
        return None, []
    new = orjson.loads(write.value)
    before = records.revision(write.previous) if write.previous else None
    verb, text = describe(orjson.loads(before.value) if before else None, new, write.verb)
    evidence = [_evidence(records, cause) for cause in write.causes if cause.startswith("silence:")]
    evidence += [_evidence(records, cause) for cause in write.causes if cause[0] == "r" and "+" not in cause]
    shown = [e for e in evidence if e]
    link = Link(write.step, write.sim_time, write.actor, verb, _title(new), number, list(write.causes), shown, text)
    return link, list(write.causes)


def _evidence(records: Records, cause: str) -> dict[str, Any] | None:
    number = int(parse(cause)[0].rpartition("r")[2] or 0)
    write = records.revision(number)
    return {"object": _title(orjson.loads(write.value)), "revision": number} if write else None


def _silence_link(records: Records, cause: str) -> tuple[Link | None, list[str]]:
    """The absence of a word: whatever stopped that component after its last one is the cause."""
    component, _, last = cause.removeprefix("silence:").rpartition("@r")
    write = records.revision(int(last)) if last.isdigit() and int(last) else None
    since, step = (write.sim_time, write.step) if write else (0, 0)
    stops = records.stops_of(component, step)
    node = component.removeprefix("kubelet/")
    text = f"The lease of {node} was renewed at {clock_text(since)} for the last time, and then no more."
    evidence = [{"object": _title(orjson.loads(write.value)), "revision": write.revision}] if write else []
    link = Link(
        step, since, component, "missed lease", f"Lease/kube-node-lease/{node}", int(last or 0), [], evidence, text
    )
    link.causes = [f"p{stops[0].ordinal}"] if stops else []
    return link, link.causes


def _physical_link(records: Records, number: int) -> tuple[Link | None, list[str]]:
    event = records.physical(number)
    if event is None:
        return None, []
    causes = orjson.loads(event.causes)
    text = {
        "power-off": f"The power of machine {event.subject} was cut. Nobody told the cluster.",
        "power-on": f"Machine {event.subject} was powered on.",
        "runtime-stop": f"The container runtime of {event.subject} was stopped. Its containers go on.",
        "runtime-start": f"The container runtime of {event.subject} was started.",
        "shutdown": f"Somebody shut machine {event.subject} down. Its kubelet ends the pods first.",
        "static-pod-add": f"A manifest was written on the disk of {event.subject}.",
        "static-pod-remove": f"A manifest was removed from the disk of {event.subject}.",
        "node-add": f"Machine {event.subject} was added.",
        "node-remove": f"Machine {event.subject} was taken away.",
        "terminate": f"The cloud took machine {event.subject} back. Nobody told the cluster.",
    }.get(event.kind, f"{event.kind} of {event.subject}")
    link = Link(event.step, event.sim_time, "machine", event.kind, f"Machine/{event.subject}", 0, causes, [], text)
    return link, causes


def _input_link(records: Records, ordinal: int) -> Link | None:
    row = records.input(ordinal)
    if row is None:
        return None
    request = orjson.loads(row.request)
    if request.get("type") == "api":
        agent = request.get("headers", {}).get("user-agent", "").split("/")[0] or "a client"
        what = f"{request['method']} {request['path']}"
        return Link(
            row.step, row.sim_time, agent, request["method"], request["path"], 0, [], [], f"{agent} asked: {what}."
        )
    subject = request.get("node") or request.get("name") or ""
    deed = f"You clicked {request['type']} on {subject}."
    if request["type"] == "cloud":
        subject, deed = "cloud", f"You told the cloud: {request.get('op')}."
    return Link(
        row.step,
        row.sim_time,
        "you",
        request["type"],
        f"Machine/{subject}",
        0,
        [],
        [],
        deed,
    )


def _decisive(records: Records, causes: list[str], seen: set[str]) -> tuple[str, int]:
    """The cause that tipped the scales: silence and machines before revisions, the newest revision first."""
    parsed = [parse(cause) for cause in causes if not cause.startswith("+")]
    parsed = [(what, waited) for what, waited in parsed if what not in seen]
    for prefix in ("silence:", "p"):
        for what, waited in parsed:
            if what.startswith(prefix):
                return what, waited
    revisions = [(int(what[1:]), waited) for what, waited in parsed if what[0] == "r" and what[1:].isdigit()]
    if revisions:
        number, waited = max(revisions)
        return f"r{number}", waited
    return parsed[0] if parsed else ("", 0)


def _turning_point(log: list[commits.Write]) -> commits.Write:
    """Where a pod's story ends well: its binding; for everything else the newest change that is no heartbeat."""
    if "/pods/" in log[-1].key:
        for before, write in itertools.pairwise(log):
            old, new = orjson.loads(before.value), orjson.loads(write.value)
            if new.get("spec", {}).get("nodeName") and not old.get("spec", {}).get("nodeName"):
                if "deletionTimestamp" in orjson.loads(log[-1].value)["metadata"]:
                    break
                return write
        marked = [w for w in log if "deletionTimestamp" in orjson.loads(w.value)["metadata"]]
        return marked[0] if marked else log[0]
    for write in reversed(log):
        if not write.actor.startswith("kubelet/") or write.verb != "update":
            return write
    return log[-1]


def describe(old: Manifest | None, new: Manifest, verb: str) -> tuple[str, str]:
    """(verb, sentence) for what a revision did, told by what changed."""
    title, name = _title(new), new["metadata"]["name"]
    if verb == "delete":
        return "deleted", f"{title} is gone."
    if old is None:
        owner = next((r for r in new["metadata"].get("ownerReferences", []) if r.get("controller")), None)
        return "created", f"{title} was created" + (f" for {owner['kind']} {owner['name']}." if owner else ".")
    if "deletionTimestamp" in new["metadata"] and "deletionTimestamp" not in old["metadata"]:
        return "deleted", f"{title} was marked for deletion."
    node = new.get("spec", {}).get("nodeName") if isinstance(new.get("spec"), dict) else None
    if node and not old.get("spec", {}).get("nodeName"):
        return "bound", f"{title} was bound to {node}."
    if new["kind"] == "Node":
        return _describe_node(old, new, name)
    old_conditions = {c["type"]: c for c in (old.get("status") or {}).get("conditions") or []}
    for condition in (new.get("status") or {}).get("conditions") or []:
        before = old_conditions.get(condition["type"], {})
        if condition.get("status") != before.get("status") and condition["type"] != "Initialized":
            reason = f" ({condition['reason']})" if condition.get("reason") else ""
            return "updated", f"{title}: {condition['type']} is {condition['status']}{reason}."
    if old.get("spec") != new.get("spec"):
        return "updated", f"The spec of {title} changed."
    if old.get("status") != new.get("status"):
        return "updated", f"The status of {title} changed."
    return "updated", f"{title} changed."


def _describe_node(old: Manifest, new: Manifest, name: str) -> tuple[str, str]:
    def taints(node: Manifest) -> list[tuple[str, str]]:
        return [(t["key"], t["effect"]) for t in node.get("spec", {}).get("taints") or []]

    added = [t for t in taints(new) if t not in taints(old)]
    if added:
        effects = ", ".join(f"{key}:{effect}" for key, effect in added)
        return "tainted", f"Node {name} got the taint {effects}."
    removed = [t for t in taints(old) if t not in taints(new)]
    if removed:
        effects = ", ".join(f"{key}:{effect}" for key, effect in removed)
        return "untainted", f"Node {name} lost the taint {effects}."
    before = {c["type"]: c["status"] for c in (old.get("status") or {}).get("conditions") or []}
    for condition in (new.get("status") or {}).get("conditions") or []:
        if condition["type"] == "Ready" and before.get("Ready") != condition["status"]:
            return condition.get(
                "reason", "updated"
            ), f"Node {name}: Ready is {condition['status']} ({condition.get('reason', '')})."
    return "updated", f"Node {name} changed."


def _verdict(records: Records, obj: Manifest, last: commits.Write) -> str:
    """One sentence: how the object stands, and why."""
    if last.verb == "delete":
        return f"{_title(obj)} no longer exists."
    if obj["kind"] == "Pod":
        return _pod_verdict(records, obj)
    return (
        f"{_title(obj)} exists since revision {last.created}; its newest revision is {last.revision}, by {last.actor}."
    )


def _pod_verdict(records: Records, pod: Manifest) -> str:
    name, node = pod["metadata"]["name"], pod["spec"].get("nodeName", "")
    conditions = {c["type"]: c for c in pod.get("status", {}).get("conditions") or []}
    scheduled = conditions.get("PodScheduled", {})
    if not node:
        if scheduled.get("message"):
            return f"{name} is pending: {scheduled['message']}"
        return f"{name} is waiting for the scheduler."
    silent = _silent_node(records, node)
    if silent and "deletionTimestamp" in pod["metadata"]:
        return f"{name} is being deleted, but {silent}: nobody is there to stop its containers and confirm."
    if silent:
        return f"{name} stays on {node}, although {silent}. {_why_not_evicted(records, pod, node)}"
    if "deletionTimestamp" in pod["metadata"]:
        return f"{name} is being deleted; the kubelet of {node} is stopping it."
    verdict = records.verdict(pod["metadata"]["uid"])
    scored = (verdict or {}).get("scored") or {"nodes": [], "total": []}
    total = dict(zip(scored["nodes"], scored["total"], strict=False)).get(node)  # No total: it was the only one.
    points = f" with {total} points" if total is not None else ""
    return f"{node} won{points}: {name} runs there."


def _silent_node(records: Records, node: str) -> str:
    """`worker-2 is unreachable since 0:51` if its Ready condition is Unknown, else empty."""
    log = records.log_of(commits.resource_of("Node").storage_key("", node))
    if not log or log[-1].verb == "delete":
        return f"{node} no longer exists"
    ready = [c for c in orjson.loads(log[-1].value).get("status", {}).get("conditions", []) if c["type"] == "Ready"]
    return f"{node} is not reachable" if ready and ready[0]["status"] == "Unknown" else ""


def _why_not_evicted(records: Records, pod: Manifest, node: str) -> str:
    log = records.log_of(commits.resource_of("Node").storage_key("", node))
    taints = orjson.loads(log[-1].value)["spec"].get("taints") or []
    if not any(t["effect"] == "NoExecute" for t in taints):
        states = records.cell("node-lifecycle-controller|m|zones") or {}
        if states and all(state == "FullDisruption" for state in states.values()):
            return (
                "Evictions are halted: all nodes of all zones stopped reporting at once, and the node lifecycle"
                " controller takes that for its own trouble, not theirs (FullDisruption)."
            )
        return (
            "The node has no NoExecute taint yet: one node every 10 s gets it, so that a bad minute empties no cluster."
        )
    tolerations = [t for t in pod["spec"].get("tolerations") or [] if t.get("effect", "") in ("", "NoExecute")]
    seconds = [
        t.get("tolerationSeconds") for t in tolerations if t.get("key", "") in ("", "node.kubernetes.io/unreachable")
    ]
    if seconds and seconds[0] is None:
        return "It tolerates the taint for ever."
    if seconds:
        return f"It tolerates the taint for {min(s for s in seconds if s is not None)} s; then it is evicted."
    return "It does not tolerate the taint and is about to be evicted."


def clock_text(sim_time: int) -> str:
    """`06:29.4`: simulated minutes, seconds and tenths."""
    tenths = sim_time * 10 // SECOND
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _title(obj: Manifest) -> str:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{obj['kind']}/{namespace}/{metadata['name']}" if namespace else f"{obj['kind']}/{metadata['name']}"


class CommittedRecords:
    """Records of a cluster in the database."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.id = cluster, cluster.pk

    def revision(self, number: int) -> commits.Write | None:
        return next(iter(commits.revisions(self.id, number - 1, number)), None)

    def log_of(self, key: str) -> list[commits.Write]:
        return commits.revisions(self.id, 0, key=key)

    def physical(self, number: int) -> commits.EventRow | None:
        row = PhysicalEvent.objects.filter(id=commits.row_id(self.id, number)).first()
        return _event_row(row) if row else None

    def stops_of(self, component: str, after_step: int) -> list[commits.EventRow]:
        low, high = commits.row_id(self.id, 0), commits.row_id(self.id + 1, 0)
        rows = PhysicalEvent.objects.filter(id__gte=low, id__lt=high, step__gte=after_step).order_by("id")
        return [_event_row(row) for row in rows if component in orjson.loads(row.body).get("stopped", ())]

    def input(self, ordinal: int) -> commits.InputRow | None:
        row = Input.objects.filter(cluster_id=self.id, ordinal=ordinal).first()
        if row is None:
            return None
        return commits.InputRow(
            row.id,
            row.ordinal,
            row.step,
            row.sim_time,
            bytes(row.request),
            row.status,
            bytes(row.response),
            row.revision,
        )

    def verdict(self, uid: str) -> dict[str, Any] | None:
        row = Verdict.objects.filter(id=f"{self.id}:{uid}").first()
        return orjson.loads(bytes(row.body)) if row else None

    def cell(self, key: str) -> Any:
        return commits.load_cell(self.id, "agenda", key)

    def now(self) -> int:
        return int(self.cluster.sim_now)


def _event_row(row: PhysicalEvent) -> commits.EventRow:
    number = commits.number_of(row.id)
    return commits.EventRow(number, row.kind, row.subject, row.causes, row.body, row.step, row.sim_time)


class WorldRecords:
    """Records of a world in memory, for tests and forks."""

    def __init__(self, world: Any) -> None:
        self.world = world

    def _writes(self) -> list[commits.Write]:
        return self.world.revisions()  # type: ignore[no-any-return]

    def revision(self, number: int) -> commits.Write | None:
        return next((w for w in self._writes() if w.revision == number), None)

    def log_of(self, key: str) -> list[commits.Write]:
        return [w for w in self._writes() if w.key == key]

    def physical(self, number: int) -> commits.EventRow | None:
        return next((e for e in self.world.happenings + self.world.events if e.ordinal == number), None)

    def stops_of(self, component: str, after_step: int) -> list[commits.EventRow]:
        rows = self.world.happenings + self.world.events
        return [e for e in rows if e.step >= after_step and component in orjson.loads(e.body).get("stopped", ())]

    def input(self, ordinal: int) -> commits.InputRow | None:
        return next((i for i in self.world.inputs + self.world.executed if i.ordinal == ordinal), None)

    def verdict(self, uid: str) -> dict[str, Any] | None:
        return self.world.cells["verdicts"].get(uid)  # type: ignore[no-any-return]

    def cell(self, key: str) -> Any:
        return self.world.cells["agenda"].get(key)

    def now(self) -> int:
        return int(self.world.now)
