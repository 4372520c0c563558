"""What must hold of a cluster that has come to rest. Each is a question to the objects; an answer is what is wrong."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from cluster.kubelet import static_pods
from cluster.objects import Manifest, conditions, labels, meta, pods
from tests.builders import TestCluster


def complaints(cluster: TestCluster) -> list[str]:
    return [said for truth in TRUTHS for said in truth(cluster)]


def living(cluster: TestCluster, owner: Manifest) -> list[Manifest]:
    """Pods that `owner` controls and that have neither ended nor are going."""
    mine = [pod for pod in cluster.objects("Pod", "default") if owned_by(pod, owner)]
    return [pod for pod in mine if not meta.is_deleting(pod) and not pods.is_terminal(pod)]


def owned_by(obj: Manifest, owner: Manifest) -> bool:
    reference = meta.controller_of(obj)
    return reference is not None and reference["uid"] == meta.uid(owner)


def is_out_of_quota(cluster: TestCluster) -> bool:
    quotas = cluster.objects("ResourceQuota", "default")
    return any(int(q["status"]["used"]["pods"]) >= int(q["status"]["hard"]["pods"]) for q in quotas)


def every_workload_has_its_pods(cluster: TestCluster) -> Iterator[str]:
    for kind in ("ReplicaSet", "StatefulSet"):
        for workload in cluster.objects(kind, "default"):
            found = len(living(cluster, workload))
            wanted = workload["spec"].get("replicas", 1)
            short = found < wanted and (is_out_of_quota(cluster) or _waits_for_one(cluster, workload))
            if found != wanted and not short:
                yield f"{kind} {meta.name(workload)} has {found} pods of {wanted}"


def _waits_for_one(cluster: TestCluster, workload: Manifest) -> bool:
    """An ordered StatefulSet goes no further than the first pod that is not ready, nor past a name that is taken."""
    if workload["kind"] != "StatefulSet":
        return False
    names = {f"{meta.name(workload)}-{number}" for number in range(workload["spec"].get("replicas", 1))}
    if any(meta.name(pod) in names and not owned_by(pod, workload) for pod in cluster.objects("Pod", "default")):
        return True
    if workload["spec"].get("podManagementPolicy") == "Parallel":
        return False
    return any(not pods.is_ready(pod) for pod in living(cluster, workload))


def every_deployment_runs_its_newest_template_only(cluster: TestCluster) -> Iterator[str]:
    for deployment in cluster.objects("Deployment", "default"):
        sets = [rs for rs in cluster.objects("ReplicaSet", "default") if owned_by(rs, deployment)]
        wanted = deployment["spec"].get("replicas", 1)
        total = sum(rs["spec"]["replicas"] for rs in sets)
        stuck = is_out_of_quota(cluster) or any(not pods.is_ready(pod) for rs in sets for pod in living(cluster, rs))
        if total != wanted and not stuck:
            yield f"Deployment {meta.name(deployment)}: its ReplicaSets want {total} of {wanted}"
        if sum(rs["spec"]["replicas"] > 0 for rs in sets) > 1 and not stuck:
            yield f"Deployment {meta.name(deployment)} still has two ReplicaSets with pods"


def every_daemon_is_on_every_node(cluster: TestCluster) -> Iterator[str]:
    count = len(cluster.objects("Node"))
    for daemons in cluster.objects("DaemonSet", "default"):
        found = living(cluster, daemons)
        if len(found) != count and not is_out_of_quota(cluster):
            yield f"DaemonSet {meta.name(daemons)} has {len(found)} pods on {count} nodes"


def every_job_is_over(cluster: TestCluster) -> Iterator[str]:
    for job in cluster.objects("Job", "default"):
        over = any(conditions.is_true(job, type_) for type_ in ("Complete", "Failed"))
        waiting = any(not pods.is_scheduled(pod) for pod in living(cluster, job))
        if not over and not waiting and not is_out_of_quota(cluster):
            yield f"Job {meta.name(job)} is neither complete nor failed: {job.get('status')}"
        counted = (job.get("status") or {}).get("uncountedTerminatedPods") or {}
        if counted.get("succeeded") or counted.get("failed"):
            yield f"Job {meta.name(job)} has uncounted pods: {counted}"


def a_pod_that_waits_says_why(cluster: TestCluster) -> Iterator[str]:
    for pod in cluster.objects("Pod", "default"):
        if pods.is_scheduled(pod) or meta.is_deleting(pod):
            continue
        told = conditions.get(pod, "PodScheduled")
        if told is None or told["status"] != "False" or "nodes are available" not in told["message"]:
            yield f"Pod {meta.name(pod)} waits and does not say why: {told}"


def nothing_is_half_deleted(cluster: TestCluster) -> Iterator[str]:
    for kind in ("Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job"):
        for obj in cluster.objects(kind, "default"):
            if meta.is_deleting(obj):
                yield f"{kind} {meta.name(obj)} is still being deleted, finalizers {obj['metadata'].get('finalizers')}"


def nobody_s_owner_is_gone(cluster: TestCluster) -> Iterator[str]:
    kinds = ("Pod", "ReplicaSet", "EndpointSlice", "ControllerRevision")
    owners = (*kinds, "Deployment", "StatefulSet", "DaemonSet", "Job", "Service", "Node")
    everything = {meta.uid(obj) for kind in owners for obj in cluster.objects(kind)}
    for kind in kinds:
        for obj in cluster.objects(kind, "default"):
            for reference in obj["metadata"].get("ownerReferences") or ():
                if reference["uid"] not in everything:
                    yield f"{kind} {meta.name(obj)} belongs to a {reference['kind']} that is gone"


def every_manifest_on_a_disk_has_its_mirror_and_no_mirror_is_without(cluster: TestCluster) -> Iterator[str]:
    disks = cluster.world.cells["disks"]
    wanted = {
        f"static-{path.rpartition('/')[2].removesuffix('.yaml')}-{meta.name(node)}"
        for node in cluster.objects("Node")
        for path in static_pods.files(disks.get(static_pods.disk_of(meta.name(node))))
    }
    found = {meta.name(pod) for pod in cluster.objects("Pod", "default") if pods.is_mirror(pod)}
    missing = set() if is_out_of_quota(cluster) else wanted - found
    if missing or found - wanted:
        yield f"mirror pods that are missing: {sorted(missing)}, that show nothing: {sorted(found - wanted)}"


def slices_hold_just_the_ready_pods(cluster: TestCluster) -> Iterator[str]:
    for service in cluster.objects("Service", "default"):
        selector = service["spec"].get("selector")
        if not selector:
            continue
        wanted = {
            meta.name(pod)
            for pod in cluster.objects("Pod", "default")
            if labels.matches_map(selector, meta.labels(pod)) and pods.is_ready(pod) and not meta.is_deleting(pod)
        }
        found = {
            endpoint["targetRef"]["name"]
            for part in cluster.objects("EndpointSlice", "default")
            if meta.labels(part).get("kubernetes.io/service-name") == meta.name(service)
            for endpoint in part["endpoints"] or ()
            if endpoint["conditions"]["ready"]
        }
        if wanted != found:
            yield f"Service {meta.name(service)}: endpoints {sorted(found)}, ready pods {sorted(wanted)}"


def quotas_count_right(cluster: TestCluster) -> Iterator[str]:
    running = sum(not pods.is_terminal(pod) for pod in cluster.objects("Pod", "default"))
    for quota in cluster.objects("ResourceQuota", "default"):
        used = int(quota["status"]["used"]["pods"])
        if used != running:
            yield f"quota {meta.name(quota)} counts {used} pods, there are {running}"


def budgets_count_right(cluster: TestCluster) -> Iterator[str]:
    for budget in cluster.objects("PodDisruptionBudget", "default"):
        selector = budget["spec"]["selector"]
        healthy = sum(
            labels.matches(selector, meta.labels(pod)) and pods.is_ready(pod) and not meta.is_deleting(pod)
            for pod in cluster.objects("Pod", "default")
        )
        told = (budget.get("status") or {}).get("currentHealthy")
        if told != healthy:
            yield f"budget {meta.name(budget)} counts {told} healthy pods, there are {healthy}"


def addresses_are_given_out_once(cluster: TestCluster) -> Iterator[str]:
    given: list[Any] = []
    for pod in cluster.objects("Pod"):
        if not pods.is_terminal(pod):
            given.append((pod.get("status") or {}).get("podIP"))
    given += [node["spec"].get("podCIDR") for node in cluster.objects("Node")]
    given += [service["spec"].get("clusterIP") for service in cluster.objects("Service")]
    yield from (f"{what} was given out {n} times" for what, n in Counter(given).items() if what and n > 1)


TRUTHS = (
    every_workload_has_its_pods,
    every_deployment_runs_its_newest_template_only,
    every_daemon_is_on_every_node,
    every_job_is_over,
    a_pod_that_waits_says_why,
    nothing_is_half_deleted,
    nobody_s_owner_is_gone,
    slices_hold_just_the_ready_pods,
    quotas_count_right,
    budgets_count_right,
    addresses_are_given_out_once,
    every_manifest_on_a_disk_has_its_mirror_and_no_mirror_is_without,
)
