"""What is the smallest change that would make this pod fit? Found by trying, on a copy of what the scheduler knows.

For the likeliest nodes, one after another: whoever refuses the pod there is answered with a change (uncordon the node,
lower a request, tolerate a taint …), and all plugins are asked again, until none refuses. Only changes after which the
scheduler really finds a node are told; the smallest first.

    scene = Scene(informers)      why_not(scene, pod) → every refusal of every node      smallest(scene, pod) → Advice

Nothing is written, and the scheduler does not notice: the scene is built of objects, the plugins are its own.

Left out: changes of quotas, priorities and volumes; several nodes changed at once.
Read next: explain.py, for pods that did find a node.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta, pods, quantity
from cluster.scheduler import resources
from cluster.scheduler.configuration import DEFAULT, Configuration
from cluster.scheduler.framework import SKIP, Framework, OnlyNodes, Rejection
from cluster.scheduler.matching import FORBIDDING, tolerated, tolerations
from cluster.scheduler.plugins.inter_pod_affinity import NOT_FAR, NOT_NEAR
from cluster.scheduler.profile import scheduler_of
from cluster.scheduler.snapshot import NodeInfo, Snapshot
from cluster.scheduler.terms import REQUIRED

KINDS = (  # What a scene is made of.
    "Node", "Pod", "Namespace", "Service", "ReplicaSet", "StatefulSet", "ReplicationController", "Deployment",
    "PodDisruptionBudget", "PersistentVolume", "PersistentVolumeClaim", "StorageClass", "CSINode",
)  # fmt: skip
NODES = 10  # Nodes tried: those with the fewest and mildest refusals.
STEPS = 3  # Changes that may be needed together.
TRIALS = 150  # Looks at a node in one search.
ADVICE = 4  # Answers given.
NEW = "another-node"
WITHHELD = 100 << 20  # Bytes of memory that a kubelet keeps from pods by default, and a tenth of the disk.
MOST_SKEW = 20
FINEST = {"cpu": 10, "memory": 1 << 20}  # Less is not worth asking for.


class Change(NamedTuple):
    """`kind` and `words`: what is to be done, for a page that says it in its language; `line`: the command for it."""

    kind: str
    words: dict[str, Any]
    line: str
    size: float


class Advice(NamedTuple):
    """Changes that together let the pod fit on `node`, and their size: the sum of theirs."""

    node: str
    changes: tuple[Change, ...]
    size: float


class State(NamedTuple):
    """Where a search stands: the pod and a node as they would be, and pods that would be gone."""

    pod: Manifest
    node: Manifest
    gone: frozenset[str]
    changes: tuple[Change, ...]

    def after(self, change: Change, **what: Any) -> "State":
        return self._replace(changes=(*self.changes, change), **what)


class Scene:
    """The scheduler's view of a cluster, to try things on. `informers`: filled with objects of KINDS."""

    def __init__(self, informers: Informers, configuration: Configuration = DEFAULT) -> None:
        self.informers = informers
        profiles = configuration.build(informers)
        self.frameworks = {name: Framework(profile) for name, profile in profiles.items()}
        self.nodes = {meta.name(node): node for node in informers.list("Node")}
        self.snapshot = Snapshot(lambda: list(self.nodes.values()), self._namespace_labels)
        for node in self.nodes.values():
            self.snapshot.set_node(node)
        for pod in informers.list("Pod"):
            if pod["spec"].get("nodeName") and not pods.is_terminal(pod):
                self.snapshot.add_pod(pod)

    def _namespace_labels(self, name: str) -> dict[str, str]:
        found = self.informers.get("Namespace", "", name)
        return meta.labels(found) if found is not None else {}

    def framework_of(self, pod: Manifest) -> Framework:
        """The profile that the pod names; of a pod that names another scheduler, the first one."""
        return self.frameworks.get(scheduler_of(pod)) or next(iter(self.frameworks.values()))

    def owner_of(self, pod: Manifest) -> tuple[str, str]:
        """(kind, name) of what its template is part of; ("", name) of a pod that nobody made."""
        owner = meta.controller_of(pod)
        if owner is None:
            return "", meta.name(pod)
        if owner["kind"] == "ReplicaSet":
            made_by = meta.controller_of(self.informers.get("ReplicaSet", meta.namespace(pod), owner["name"]) or {})
            if made_by is not None:
                return made_by["kind"], made_by["name"]
        return owner["kind"], owner["name"]

    def refusals(self, pod: Manifest, name: str) -> list[Rejection]:
        """Every plugin that refuses the node, not only the first."""
        self.snapshot.refresh()
        node, found = self.snapshot.nodes[self.snapshot.rows[name]], []
        for plugin in self.framework_of(pod).filtering:
            ask = plugin.prefilter(pod, self.snapshot)
            if isinstance(ask, Rejection):
                found.append(ask)
                continue
            if isinstance(ask, OnlyNodes):
                ask = ask.ask
            refused = plugin.filter(ask, node) if ask is not SKIP else None
            if refused is not None:
                found.append(refused)
        return found

    def trying(self, state: State, look: Callable[[], Any]) -> Any:
        """What `look` sees if `state` were true."""
        name = meta.name(state.node)
        before, snapshot = self.nodes.get(name), self.snapshot
        there = [info.pod for key in state.gone for info in [_info(snapshot, key)] if info is not None]
        self.nodes[name] = state.node
        snapshot.set_node(state.node)
        for key in state.gone:
            snapshot.remove_pod(key)
        try:
            return look()
        finally:
            for pod in there:
                snapshot.add_pod(pod)
            if before is None:
                del self.nodes[name]
                snapshot.remove_node(name)
            else:
                self.nodes[name] = before
                snapshot.set_node(before)

    def refusals_if(self, state: State) -> list[Rejection]:
        """Who would still refuse its node?"""
        found: list[Rejection] = self.trying(state, lambda: self.refusals(state.pod, meta.name(state.node)))
        return found

    def fits(self, state: State) -> bool:
        """Would the scheduler find a node?"""

        def look() -> bool:
            framework = self.framework_of(state.pod)
            return framework.schedule(state.pod, self.snapshot, 0, lambda sides: 0).row is not None

        return bool(self.trying(state, look))


def _info(snapshot: Snapshot, key: str) -> Any:
    for node in snapshot.nodes:
        if key in node.pods:
            return node.pods[key]
    return None


def why_not(scene: Scene, pod: Manifest, name: str = "") -> dict[str, list[Rejection]]:
    """Node to all refusals there; of one node, or of all."""
    return {node: scene.refusals(pod, node) for node in ([name] if name else scene.nodes)}


def unbound(scene: Scene, pod: Manifest) -> Manifest:
    """A pod that runs, as it would be if it had to find a node now; in the scene it takes no room any more."""
    scene.snapshot.remove_pod(meta.key(pod))
    return {**pod, "spec": {field: value for field, value in pod["spec"].items() if field != "nodeName"}}


def smallest(scene: Scene, pod: Manifest, name: str = "") -> list[Advice]:
    """The smallest changes that would make `pod` fit, at most ADVICE; empty: none was found. `name`: on that node."""
    at_once = list(_of_the_pod(scene, pod))
    if at_once:
        return at_once
    found, trials = [], 0
    for node in [scene.nodes[name]] if name else _likeliest(scene, pod):
        queue = [State(pod, node, frozenset(), ())]
        while queue and trials < TRIALS:
            state, trials = queue.pop(0), trials + 1
            refused = scene.refusals_if(state)
            if not refused:
                if scene.fits(state):
                    found.append(Advice(meta.name(node), state.changes, sum(c.size for c in state.changes)))
                continue
            if len(state.changes) < STEPS:
                queue += [each for fix in FIXES.get(refused[0].plugin, ()) for each in fix(scene, state, refused[0])]
    return _best(found if name else [*found, *_another_node(scene, pod)])


def _best(found: list[Advice]) -> list[Advice]:
    """The smallest first, one of each sort; what needs more than another answer that it contains is left out."""
    ordered = sorted(found, key=lambda advice: (advice.size, len(advice.changes), advice.node))
    kept: list[Advice] = []
    for advice in ordered:
        sort = {change.kind for change in advice.changes}
        if all(not {change.kind for change in other.changes} <= sort for other in kept):
            kept.append(advice)
    return kept[:ADVICE]


def _of_the_pod(scene: Scene, pod: Manifest) -> Iterator[Advice]:
    """What keeps the pod from being looked at by this scheduler at all."""
    gates = [gate["name"] for gate in pod["spec"].get("schedulingGates") or ()]
    where = _flag(pod)
    if gates:
        patch = '[{"op":"remove","path":"/spec/schedulingGates"}]'
        line = f"kubectl patch pod {meta.name(pod)}{where} --type=json -p='{patch}'"
        yield Advice("", (Change("ungate", {"gates": ", ".join(gates)}, line, 1.0),), 1.0)
    name = scheduler_of(pod)
    if name not in scene.frameworks:
        yield Advice("", (Change("scheduler", {"name": name}, f"# start the scheduler {name}", 1.0),), 1.0)


def _likeliest(scene: Scene, pod: Manifest) -> list[Manifest]:
    """The nodes with the fewest refusals, those with more room first."""
    scene.snapshot.refresh()
    ranked = []
    for name, refused in why_not(scene, pod).items():
        info = scene.snapshot.nodes[scene.snapshot.rows[name]]
        room = min((_free(info, resource) / count for resource, count in _asked(pod).items() if count), default=0)
        ranked.append((len(refused), -room, name))
    return [scene.nodes[name] for _, _, name in sorted(ranked)[:NODES]]


def _asked(pod: Manifest) -> dict[str, int]:
    return resources.requests(pod).amounts


def _free(node: NodeInfo, resource: str) -> int:
    return node.allocatable.get(resource, 0) - node.requested.get(resource, 0)


def _flag(obj: Manifest) -> str:
    namespace = meta.namespace(obj)
    return "" if namespace in ("", "default") else f" -n {namespace}"


def _line_for_template(scene: Scene, pod: Manifest, patch: str, what: str) -> str:
    """The command that changes the template, or the hint that a bare pod must be made anew."""
    kind, name = scene.owner_of(pod)
    if not kind:
        return f"# {what} in the pod's manifest, then: kubectl replace --force -f pod.yaml"
    return f"kubectl patch {kind.lower()} {name}{_flag(pod)} -p '{patch}'"


# --- changes, by the plugin that they answer --------------------------------------------------------------------

Fix = Callable[[Scene, State, Rejection], Iterator[State]]


def uncordon(scene: Scene, state: State, refused: Rejection) -> Iterator[State]:
    name = meta.name(state.node)
    spec = {key: value for key, value in state.node["spec"].items() if key != "unschedulable"}
    spec["taints"] = [t for t in spec.get("taints") or () if t["key"] != "node.kubernetes.io/unschedulable"]
    change = Change("uncordon", {"node": name}, f"kubectl uncordon {name}", 1.0)
    yield state.after(change, node={**state.node, "spec": spec})


def taint(scene: Scene, state: State, refused: Rejection) -> Iterator[State]:
    """Tolerate it, or take it away."""
    name, borne = meta.name(state.node), tolerations(state.pod) or []
    taints = state.node["spec"].get("taints") or []
    worst = next(t for t in taints if t["effect"] in FORBIDDING and not tolerated(borne, t))
    spec = {**state.node["spec"], "taints": [t for t in taints if t is not worst]}
    words = {"node": name, "taint": f"{worst['key']}:{worst['effect']}"}
    if not worst["key"].startswith("node.kubernetes.io/"):  # Those are told by the node's state: they would come back.
        line = f"kubectl taint node {name} {worst['key']}:{worst['effect']}-"
        yield state.after(Change("untaint", words, line, 2.0), node={**state.node, "spec": spec})
    toleration = {"key": worst["key"], "operator": "Exists", "effect": worst["effect"]}
    pod = {**state.pod, "spec": {**state.pod["spec"], "tolerations": [*borne, toleration]}}
    patch = f'{{"spec":{{"template":{{"spec":{{"tolerations":[{{"key":"{worst["key"]}","operator":"Exists"}}]}}}}}}}}'
    yield state.after(
        Change("tolerate", words, _line_for_template(scene, state.pod, patch, "add the toleration"), 2.5), pod=pod
    )


def label(scene: Scene, state: State, refused: Rejection) -> Iterator[State]:
    """Give the node the label that the pod looks for, or look for it no more."""
    name, found = meta.name(state.node), meta.labels(state.node)
    for key, value in _labels_wanted(state.pod):
        if found.get(key) == value:
            continue
        metadata = {**state.node["metadata"], "labels": {**found, key: value}}
        again = " --overwrite" if key in found else ""
        line = f"kubectl label node {name} {key}={value}{again}"
        change = Change("label", {"node": name, "label": f"{key}={value}"}, line, 2.0)
        yield state.after(change, node={**state.node, "metadata": metadata})
    spec = {key: value for key, value in state.pod["spec"].items() if key != "nodeSelector"}
    affinity = {key: value for key, value in (spec.get("affinity") or {}).items() if key != "nodeAffinity"}
    spec["affinity"] = affinity
    patch = '{"spec":{"template":{"spec":{"nodeSelector":null,"affinity":{"nodeAffinity":null}}}}}'
    line = _line_for_template(scene, state.pod, patch, "drop nodeSelector and nodeAffinity")
    yield state.after(Change("any-node", {}, line, 3.0), pod={**state.pod, "spec": spec})


def _labels_wanted(pod: Manifest) -> list[tuple[str, str]]:
    wanted = list((pod["spec"].get("nodeSelector") or {}).items())
    required = ((pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for expression in term.get("matchExpressions") or ():
            if expression["operator"] == "In" and expression.get("values"):
                wanted.append((expression["key"], expression["values"][0]))
    return wanted


def shrink(scene: Scene, state: State, refused: Rejection) -> Iterator[State]:
    """Ask for less, if something is left; or take a pod away."""
    asked, node = _asked(state.pod), meta.name(state.node)
    info = scene.snapshot.nodes[scene.snapshot.rows[node]]
    freed = [info.pods[key].requests.amounts for key in state.gone]
    free = {r: _free(info, r) + sum(each.get(r, 0) for each in freed) for r in asked}
    short = {r: free[r] for r, count in asked.items() if count > free[r]}
    if short and all(left >= FINEST.get(r, 1) for r, left in short.items()):
        told = {r: _text(r, left) for r, left in short.items()}
        ratio = max(1 - left / asked[r] for r, left in short.items())
        words = {"requests": ", ".join(f"{r} {text}" for r, text in told.items())}
        change = Change("shrink", words, _set(scene, state.pod, told), 1 + 4 * ratio)
        yield state.after(change, pod=_with_requests(state.pod, short))
    others = [(key, other) for key, other in info.pods.items() if key not in state.gone]
    ordered = sorted(others, key=lambda each: (sum(each[1].requests.amounts.values()), each[0]))
    for key, other in ordered:
        line = _removal(scene, other.pod)
        if line and _covers(other.requests.amounts, asked, free):
            yield state.after(Change("remove", {"pod": key, "node": node}, line, 3.0), gone=state.gone | {key})
            return


def _removal(scene: Scene, pod: Manifest) -> str:
    """How to make this very pod go for good; empty: its owner would make another, or take another away."""
    if meta.namespace(pod) == "kube-system":
        return ""
    kind, name = scene.owner_of(pod)
    if not kind:
        return f"kubectl delete pod {meta.name(pod)}{_flag(pod)}"
    owner = scene.informers.get(kind, meta.namespace(pod), name)
    only = owner is not None and owner["spec"].get("replicas") == 1
    return f"kubectl scale {kind.lower()} {name}{_flag(pod)} --replicas=0" if only else ""


def _covers(frees: dict[str, int], asked: dict[str, int], free: dict[str, int]) -> bool:
    return all(count <= free[r] + frees.get(r, 0) for r, count in asked.items())


def _with_requests(pod: Manifest, limits: dict[str, int]) -> Manifest:
    """The pod's first containers ask for less, until no more than `limits` is asked for in all."""
    containers = []
    left = {r: _asked(pod)[r] - most for r, most in limits.items()}
    for container in pod["spec"]["containers"]:
        requests = dict((container.get("resources") or {}).get("requests") or {})
        for r, excess in left.items():
            if r in requests and excess > 0:
                has = quantity.milli(requests[r]) if r == "cpu" else quantity.value(requests[r])
                taken = min(has, excess)
                requests[r], left[r] = _text(r, has - taken), excess - taken
        containers.append({**container, "resources": {**(container.get("resources") or {}), "requests": requests}})
    return {**pod, "spec": {**pod["spec"], "containers": containers}}


def _text(resource: str, count: int) -> str:
    """In the words of a manifest, rounded down."""
    if resource == "cpu":
        return f"{count}m"
    return f"{count >> 20}Mi" if resource == "memory" else str(count)


def _set(scene: Scene, pod: Manifest, told: dict[str, str]) -> str:
    kind, name = scene.owner_of(pod)
    asked = ",".join(f"{r}={text}" for r, text in told.items())
    if not kind:
        return f"# request {asked} in the pod's manifest, then: kubectl replace --force -f pod.yaml"
    return f"kubectl set resources {kind.lower()} {name}{_flag(pod)} --requests={asked}"


def ports(scene: Scene, state: State, refused: Rejection) -> Iterator[State]:
    containers = [
        {**c, "ports": [{k: v for k, v in p.items() if k != "hostPort"} for p in c.get("ports") or ()]}
        for c in state.pod["spec"]["containers"]
    ]
    line = _line_for_template(scene, state.pod, '{"spec":{"template":{"spec":{"containers":[…]}}}}', "drop hostPort")
    change = Change("no-host-port", {}, line, 3.0)
    yield state.after(change, pod={**state.pod, "spec": {**state.pod["spec"], "containers": containers}})


def together(scene: Scene, state: State, refused: Rejection) -> Iterator[State]:
    """Keep no distance, or want nobody near."""
    side = {NOT_NEAR: "podAffinity", NOT_FAR: "podAntiAffinity"}.get(refused.reasons[0])
    if side is None:
        return
    affinity = {key: value for key, value in (state.pod["spec"].get("affinity") or {}).items() if key != side}
    patch = f'{{"spec":{{"template":{{"spec":{{"affinity":{{"{side}":null}}}}}}}}}}'
    change = Change("drop-rule", {"rule": side}, _line_for_template(scene, state.pod, patch, f"drop {side}"), 3.0)
    yield state.after(change, pod={**state.pod, "spec": {**state.pod["spec"], "affinity": affinity}})


def skew(scene: Scene, state: State, refused: Rejection) -> Iterator[State]:
    """Allow the smallest skew that suffices."""
    said = state.pod["spec"].get("topologySpreadConstraints") or []
    for more in range(1, MOST_SKEW):
        wider = [{**each, "maxSkew": each["maxSkew"] + more} for each in said]
        pod = {**state.pod, "spec": {**state.pod["spec"], "topologySpreadConstraints": wider}}
        tried = state.after(Change("", {}, "", 0), pod=pod)
        if all(each.plugin != refused.plugin for each in scene.refusals_if(tried)):
            most = max(each["maxSkew"] for each in wider)
            line = _line_for_template(scene, state.pod, f'… "maxSkew":{most} …', f"set maxSkew {most}")
            yield state.after(Change("skew", {"skew": most}, line, 1 + more), pod=pod)
            return


FIXES: dict[str, tuple[Fix, ...]] = {
    "NodeUnschedulable": (uncordon,),
    "TaintToleration": (taint,),
    "NodeAffinity": (label,),
    "NodeResourcesFit": (shrink,),
    "NodePorts": (ports,),
    "InterPodAffinity": (together,),
    "PodTopologySpread": (skew,),
}


def _another_node(scene: Scene, pod: Manifest) -> Iterator[Advice]:
    """A new machine that is just large enough."""
    asked = _asked(pod)
    cpu, memory = -(-asked.get("cpu", 0) // 1_000) or 1, -(-(asked.get("memory", 0) + WITHHELD) // (1 << 30))
    left = str((memory << 30) - WITHHELD)
    amounts = {"cpu": str(cpu), "memory": left, "pods": "110", "ephemeral-storage": "90Gi"}
    labels = {"kubernetes.io/hostname": NEW, "kubernetes.io/os": "linux", **dict(_labels_wanted(pod))}
    node = {"metadata": {"name": NEW, "labels": labels}, "spec": {}, "status": {"allocatable": amounts}}
    flags = "".join(f" --label {key}={value}" for key, value in _labels_wanted(pod))
    line = f"python manage.py node add {NEW} --cpu {cpu} --memory {memory}Gi{flags}"
    change = Change("new-node", {"cpu": str(cpu), "memory": f"{memory}Gi"}, line, 5.0)
    state = State(pod, node, frozenset(), (change,))
    if scene.fits(state):
        yield Advice(NEW, state.changes, change.size)
