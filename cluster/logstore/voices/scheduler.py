"""kube-scheduler: whom it bound where, and whom it could not place.

Mirrors:  kubernetes/pkg/scheduler/schedule_one.go, framework/preemption
"""

from collections.abc import Iterator

from cluster.logstore.klog import Value
from cluster.logstore.voices.saying import Said, Step, ref
from cluster.objects import meta


def speak(step: Step) -> Iterator[Said]:
    for change in step.of("pods"):
        pod = change.new
        node = pod["spec"].get("nodeName")
        if change.verb == "update" and node and not (change.old or pod)["spec"].get("nodeName"):
            yield Said("schedule_one.go:314", "Successfully bound pod to node", _bound(step, change.ref, pod, node))
    for event, about, reason, message in step.events():
        if reason == "FailedScheduling":
            values: dict[str, Value] = {"pod": ref(about), "err": message}
            yield Said("schedule_one.go:1081", "Unable to schedule pod; no fit; waiting", values)
        if reason == "Preempted":
            preemptor, node = ref(event.get("related") or {}), message.rpartition(" on node ")[2]
            values = {"preemptor": preemptor} if preemptor else {}
            values |= {"victim": ref(about), "node": node}
            yield Said("executor.go:132", "Preemptor Pod preempted victim Pod", values)


def _bound(step: Step, pod_ref: str, pod: dict[str, object], node: str) -> dict[str, Value]:
    """How many nodes it looked at is known as long as the verdict is the last one about this pod."""
    values: dict[str, Value] = {"pod": pod_ref, "node": node}
    verdict = step.verdict(meta.uid(pod))
    if verdict is not None and verdict["node"] == node:
        values |= {"evaluatedNodes": verdict["evaluated"], "feasibleNodes": verdict["feasible"]}
    return values
