"""kube-controller-manager and cloud-controller-manager: what each controller did, with its name as `logger`.

Mirrors:  kubernetes/pkg/controller, k8s.io/cloud-provider/controllers
"""

from collections import defaultdict
from collections.abc import Callable, Iterator

from cluster.logstore.klog import Value
from cluster.logstore.voices.saying import Change, Said, Step, ref
from cluster.objects import Manifest, conditions, meta


def speak(step: Step) -> Iterator[Said]:
    """What the controller does is said before the Events that it tells of it."""
    for said in VOICES.get(step.actor, _silent)(step):
        yield said if said.plain else said._replace(values=_named(step, said.values))
    for event, about, reason, message in step.events():
        values: dict[str, Value] = {"object": ref(about), "fieldPath": about.get("fieldPath", "")}
        values |= {"kind": about.get("kind", ""), "apiVersion": about.get("apiVersion", "")}
        values |= {"type": event.get("type", ""), "reason": reason, "message": message}
        yield Said("event.go:389", "Event occurred", _named(step, values))


def _named(step: Step, values: dict[str, Value]) -> dict[str, Value]:
    return {"logger": step.actor, **values}


def _silent(step: Step) -> Iterator[Said]:
    yield from ()


# --- each controller --------------------------------------------------------------------------------------------


def _replicas(step: Step) -> Iterator[Said]:
    """Pods made and deleted for one owner. `need`: what its spec wanted then."""
    made: dict[str, int] = defaultdict(int)
    lost: dict[str, list[Change]] = defaultdict(list)
    owners: dict[str, Manifest] = {}
    for change in step.of("pods"):
        owner = meta.controller_of(change.new)
        if owner is None:
            continue
        name = f"{meta.namespace(change.new)}/{owner['name']}"
        owners[name] = owner
        if change.verb == "create":
            made[name] += 1
        elif change.deletes:
            lost[name].append(change)
    for name, owner in owners.items():
        kind = "replicasets" if owner["kind"] == "ReplicaSet" else "controllers"
        found = step.find(f"/registry/{kind}/{name}", step.changes[0].row)
        values: dict[str, Value] = {"replicaSet": name}
        if found is not None:
            values["need"] = found["spec"].get("replicas", 1)
        if made[name]:
            yield Said("replica_set.go:628", "Too few replicas", {**values, "creating": made[name]})
        if lost[name]:
            yield Said("replica_set.go:655", "Too many replicas", {**values, "deleting": len(lost[name])})
        for change in lost[name]:
            values = {"controller": owner["name"], "pod": change.ref}
            yield Said("controller_utils.go:609", "Deleting pod", values)


def _deleted_pods(source: str, message: str, named: bool = False) -> Callable[[Step], Iterator[Said]]:
    """Of a controller that deletes pods and says of each the same. `named`: it says who it is."""

    def said(step: Step) -> Iterator[Said]:
        for change in step.of("pods"):
            if change.deletes:
                name: dict[str, Value] = {"controller": step.actor} if named else {}
                yield Said(source, message, {**name, "pod": change.ref})

    return said


def _garbage(step: Step) -> Iterator[Said]:
    for change in step.changes:
        if change.where != "events" and change.deletes:
            obj = change.new
            where = f"namespace: {meta.namespace(obj)}, " if meta.namespace(obj) else ""
            item = f"[{obj['apiVersion']}/{obj['kind']}, {where}name: {meta.name(obj)}, uid: {meta.uid(obj)}]"
            values: dict[str, Value] = {"item": item, "propagationPolicy": "Background"}
            yield Said("garbagecollector.go:640", "Deleting item", values)


def _namespaces(step: Step) -> Iterator[Said]:
    for change in step.of("namespaces"):
        if change.verb == "delete":
            yield Said(
                "namespace_controller.go:187", "Namespace has been deleted", {"namespace": meta.name(change.new)}
            )


def _nodes(step: Step) -> Iterator[Said]:
    """Nodes that are silent, and nodes that are heard again."""
    for change in step.of("minions"):
        node, old = change.new, change.old
        if old is None or change.verb != "update":
            continue
        name, before, now = meta.name(node), conditions.get(old, "Ready"), conditions.get(node, "Ready")
        if now and before and now["status"] == "Unknown" != before["status"]:
            values: dict[str, Value] = {"node": name, "nodeConditionType": "Ready", "currentCondition": before}
            yield Said("node_lifecycle_controller.go:994", "Node hasn't been updated", values)
            values = {"status": "NodeNotReady", "node": name}
            yield Said("controller_utils.go:192", "Recording status change event message for node", values)
        had, has = _taints(old), _taints(node)
        if UNREACHABLE in has - had:
            yield Said("node_lifecycle_controller.go:746", UNRESPONSIVE, {"node": name})
        elif NOT_READY in has - had:
            yield Said("node_lifecycle_controller.go:732", NOT_READY_SAID, {"node": name})
        if (had - has) & {UNREACHABLE, NOT_READY}:
            yield Said("node_lifecycle_controller.go:756", HEALTHY, {"node": name})
    for _event, about, reason, message in step.events():
        if reason == "RegisteredNode":
            text = message.partition(" event: ")[2] or message
            values = {"event": text, "node": about.get("name", "")}
            yield Said("controller_utils.go:168", "Recording event message for node", values)


UNREACHABLE = ("node.kubernetes.io/unreachable", "NoExecute")
NOT_READY = ("node.kubernetes.io/not-ready", "NoExecute")
UNRESPONSIVE = "Node is unresponsive. Adding it to the Taint queue"
NOT_READY_SAID = "Node is NotReady. Adding it to the Taint queue"
HEALTHY = "Node is healthy again, removed it from the Taint queue"


def _taints(node: Manifest) -> set[tuple[str, str]]:
    return {(taint["key"], taint["effect"]) for taint in node["spec"].get("taints") or ()}


def _ranges(step: Step) -> Iterator[Said]:
    for change in step.of("minions"):
        ranges = change.new["spec"].get("podCIDRs")
        if ranges and not (change.old or change.new)["spec"].get("podCIDRs"):
            values: dict[str, Value] = {"node": meta.name(change.new), "podCIDRs": list(ranges)}
            yield Said("range_allocator.go:433", "Set node PodCIDR", values)


def _volumes(step: Step) -> Iterator[Said]:
    for where, key, message in (
        ("persistentvolumes", "volumeName", "Volume entered phase"),
        ("persistentvolumeclaims", "PVC", "Claim entered phase"),
    ):
        for change in step.of(where):
            phase = (change.new.get("status") or {}).get("phase")
            before = ((change.old or {}).get("status") or {}).get("phase")
            if change.verb == "update" and phase and phase != before:
                yield Said("pv_controller.go:887", message, {key: change.ref, "phase": phase})


def _scaling(step: Step) -> Iterator[Said]:
    for _event, about, reason, message in step.events():
        if reason == "SuccessfulRescale":
            size, _, why = message.removeprefix("New size: ").partition("; reason: ")
            status = next((each.new.get("status") or {} for each in step.of("horizontalpodautoscalers")), {})
            values: dict[str, Value] = {"HPA": ref(about)}
            if "currentReplicas" in status:
                values["currentReplicas"] = status["currentReplicas"]
            values |= {"desiredReplicas": int(size) if size.isdecimal() else size, "reason": why}
            yield Said("horizontal.go:904", "Successfully rescaled", values)


def _balancers(step: Step) -> Iterator[Said]:
    for _event, about, reason, _message in step.events():
        if reason == "EnsuringLoadBalancer":
            yield Said("controller.go:402", f"Ensuring load balancer for service {ref(about)}", {}, plain=True)
        if reason == "DeletingLoadBalancer":
            yield Said("controller.go:381", f"Deleting existing load balancer for service {ref(about)}", {}, plain=True)


VOICES: dict[str, Callable[[Step], Iterator[Said]]] = {
    "replicaset-controller": _replicas,
    "replication-controller": _replicas,
    "taint-eviction-controller": _deleted_pods("taint_eviction.go:113", "Deleting pod", named=True),
    "pod-garbage-collector-controller": _deleted_pods("gc_controller.go:339", "PodGC is force deleting Pod"),
    "garbage-collector-controller": _garbage,
    "namespace-controller": _namespaces,
    "node-lifecycle-controller": _nodes,
    "node-ipam-controller": _ranges,
    "persistentvolume-binder-controller": _volumes,
    "horizontal-pod-autoscaler-controller": _scaling,
    "service-lb-controller": _balancers,
}
