"""kube-state-metrics': what the API server holds, object by object, as samples.

Mirrors:  kubernetes/kube-state-metrics/internal/store
Left out: kinds and series that no rule or dashboard of kube-prometheus asks for; init and ephemeral containers'
          states; annotations and labels of objects.
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from cluster.monitoring.families import Sample, sample
from cluster.network import Site
from cluster.objects import Manifest, meta, quantity

PHASES = ("Pending", "Succeeded", "Failed", "Unknown", "Running")
CLAIM_PHASES, VOLUME_PHASES = ("Lost", "Bound", "Pending"), ("Pending", "Available", "Bound", "Released", "Failed")
STATES = ("true", "false", "unknown")


def object_samples(site: Site) -> Iterator[Sample]:
    """All of them."""
    for kind, told in KINDS.items():
        for obj in site.list(kind):
            yield from told(obj)


def _pod(pod: Manifest) -> Iterator[Sample]:
    status, spec = pod.get("status") or {}, pod["spec"]
    labels = {"namespace": meta.namespace(pod), "pod": meta.name(pod), "uid": meta.uid(pod)}
    node = spec.get("nodeName", "")
    yield sample(
        "kube_pod_info", 1, **labels, node=node, pod_ip=status.get("podIP", ""), host_ip=status.get("hostIP", ""),
        priority_class=spec.get("priorityClassName", ""), host_network=str(bool(spec.get("hostNetwork"))).lower(),
    )  # fmt: skip
    for phase in PHASES:
        yield sample("kube_pod_status_phase", status.get("phase") == phase, **labels, phase=phase)
    yield from _condition("kube_pod_status_ready", status, "Ready", "condition", labels)
    owner = meta.controller_of(pod) or {}
    yield sample(
        "kube_pod_owner", 1, **labels, owner_kind=owner.get("kind", ""), owner_name=owner.get("name", ""),
        owner_is_controller="true" if owner else "",
    )  # fmt: skip
    for container in spec["containers"]:
        named = {**labels, "container": container["name"], "node": node}
        for what in ("requests", "limits"):
            amounts = (container.get("resources") or {}).get(what) or {}
            yield from _amounts(f"kube_pod_container_resource_{what}", amounts, named)
    for each in status.get("containerStatuses") or ():
        named = {**labels, "container": each["name"]}
        yield sample("kube_pod_container_status_restarts_total", each.get("restartCount", 0), **named)
        yield sample("kube_pod_container_status_ready", bool(each.get("ready")), **named)
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            yield sample("kube_pod_container_status_waiting_reason", 1, **named, reason=waiting["reason"])
        last = (each.get("lastState") or {}).get("terminated") or {}
        if last.get("reason"):
            yield sample("kube_pod_container_status_last_terminated_reason", 1, **named, reason=last["reason"])


def _condition(name: str, status: Manifest, type_: str, key: str, labels: dict[str, str]) -> Iterator[Sample]:
    found = next((each for each in status.get("conditions") or () if each["type"] == type_), None)
    if found is not None:
        for state in STATES:
            yield sample(name, str(found["status"]).lower() == state, **labels, **{key: state})


def _node(node: Manifest) -> Iterator[Sample]:
    name, status = meta.name(node), node.get("status") or {}
    info = status.get("nodeInfo") or {}
    yield sample(
        "kube_node_info", 1, node=name, kubelet_version=info.get("kubeletVersion", ""),
        os_image=info.get("osImage", ""), kernel_version=info.get("kernelVersion", ""),
    )  # fmt: skip
    yield sample("kube_node_spec_unschedulable", bool(node["spec"].get("unschedulable")), node=name)
    for what in ("capacity", "allocatable"):
        yield from _amounts(f"kube_node_status_{what}", status.get(what) or {}, {"node": name})
    for taint in node["spec"].get("taints") or ():
        told = {"key": taint["key"], "value": taint.get("value", ""), "effect": taint["effect"]}
        yield sample("kube_node_spec_taint", 1, node=name, **told)
    for each in status.get("conditions") or ():
        labels = {"node": name, "condition": each["type"]}
        yield from _condition("kube_node_status_condition", status, each["type"], "status", labels)


def _deployment(deployment: Manifest) -> Iterator[Sample]:
    status = deployment.get("status") or {}
    labels = {"namespace": meta.namespace(deployment), "deployment": meta.name(deployment)}
    yield sample("kube_deployment_spec_replicas", deployment["spec"].get("replicas", 1), **labels)
    for field, name in (("replicas", ""), ("availableReplicas", "_available"), ("unavailableReplicas", "_unavailable")):
        yield sample(f"kube_deployment_status_replicas{name}", status.get(field, 0), **labels)


def _amounts(name: str, amounts: Manifest, labels: dict[str, str]) -> Iterator[Sample]:
    """Of resources: CPU in cores, everything else in its own unit."""
    for resource, amount in amounts.items():
        is_cpu, in_bytes = resource == "cpu", resource in ("memory", "ephemeral-storage", "storage")
        value = quantity.milli(amount) / 1000 if is_cpu else quantity.value(amount)
        unit = "core" if is_cpu else "byte" if in_bytes else "integer"
        yield sample(name, value, **labels, resource=resource.replace("-", "_"), unit=unit)


def _named(obj: Manifest, label: str) -> dict[str, str]:
    return {"namespace": meta.namespace(obj), label: meta.name(obj)}


def _figures(figures: tuple[tuple[str, str, str], ...], label: str) -> Callable[[Manifest], Iterator[Sample]]:
    """A kind of which only numbers are told. `figures`: (series, spec or status, field)."""

    def told(obj: Manifest) -> Iterator[Sample]:
        labels = _named(obj, label)
        for name, part, field in figures:
            yield sample(name, (obj.get(part) or {}).get(field) or 0, **labels)

    return told


def _job(job: Manifest) -> Iterator[Sample]:
    status, labels = job.get("status") or {}, _named(job, "job_name")
    yield sample("kube_job_spec_completions", job["spec"].get("completions") or 1, **labels)
    for field in ("active", "succeeded", "failed"):
        yield sample(f"kube_job_status_{field}", status.get(field) or 0, **labels)
    for each in status.get("conditions") or ():
        if each["type"] in ("Complete", "Failed") and each["status"] == "True":
            name = f"kube_job_{each['type'].lower()}"
            yield sample(name, 1, **labels, condition="true", reason=each.get("reason", ""))
    for field, name in (("startTime", "start"), ("completionTime", "completion")):
        if status.get(field):
            yield sample(f"kube_job_status_{name}_time", _unix(status[field]), **labels)


def _cronjob(cronjob: Manifest) -> Iterator[Sample]:
    labels, status = _named(cronjob, "cronjob"), cronjob.get("status") or {}
    yield sample("kube_cronjob_spec_suspend", bool(cronjob["spec"].get("suspend")), **labels)
    yield sample("kube_cronjob_status_active", len(status.get("active") or ()), **labels)
    if status.get("lastScheduleTime"):
        yield sample("kube_cronjob_status_last_schedule_time", _unix(status["lastScheduleTime"]), **labels)


def _autoscaler(autoscaler: Manifest) -> Iterator[Sample]:
    spec, status = autoscaler["spec"], autoscaler.get("status") or {}
    labels = _named(autoscaler, "horizontalpodautoscaler")
    yield sample("kube_horizontalpodautoscaler_spec_min_replicas", spec.get("minReplicas") or 1, **labels)
    yield sample("kube_horizontalpodautoscaler_spec_max_replicas", spec["maxReplicas"], **labels)
    for word in ("current", "desired"):
        name = f"kube_horizontalpodautoscaler_status_{word}_replicas"
        yield sample(name, status.get(f"{word}Replicas") or 0, **labels)
    for each in status.get("conditions") or ():
        for state in STATES:
            is_so = str(each["status"]).lower() == state
            told = {"condition": each["type"], "status": state}
            yield sample("kube_horizontalpodautoscaler_status_condition", is_so, **labels, **told)


def _claim(claim: Manifest) -> Iterator[Sample]:
    labels, spec = _named(claim, "persistentvolumeclaim"), claim["spec"]
    told = {"storageclass": spec.get("storageClassName") or "", "volumename": spec.get("volumeName") or ""}
    yield sample("kube_persistentvolumeclaim_info", 1, **labels, **told)
    wanted = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    if wanted:
        name = "kube_persistentvolumeclaim_resource_requests_storage_bytes"
        yield sample(name, quantity.value(wanted), **labels)
    phase = (claim.get("status") or {}).get("phase")
    for each in CLAIM_PHASES:
        yield sample("kube_persistentvolumeclaim_status_phase", phase == each, **labels, phase=each)


def _volume(volume: Manifest) -> Iterator[Sample]:
    labels, phase = {"persistentvolume": meta.name(volume)}, (volume.get("status") or {}).get("phase")
    capacity = (volume["spec"].get("capacity") or {}).get("storage")
    if capacity:
        yield sample("kube_persistentvolume_capacity_bytes", quantity.value(capacity), **labels)
    for each in VOLUME_PHASES:
        yield sample("kube_persistentvolume_status_phase", phase == each, **labels, phase=each)


def _namespace(namespace: Manifest) -> Iterator[Sample]:
    phase = (namespace.get("status") or {}).get("phase")
    for each in ("Active", "Terminating"):
        yield sample("kube_namespace_status_phase", phase == each, namespace=meta.name(namespace), phase=each)


def _unix(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


KINDS: dict[str, Callable[[Manifest], Iterator[Sample]]] = {
    "Pod": _pod,
    "Node": _node,
    "Deployment": _deployment,
    "ReplicaSet": _figures(
        (
            ("kube_replicaset_spec_replicas", "spec", "replicas"),
            ("kube_replicaset_status_replicas", "status", "replicas"),
            ("kube_replicaset_status_ready_replicas", "status", "readyReplicas"),
        ),
        "replicaset",
    ),
    "StatefulSet": _figures(
        (
            ("kube_statefulset_replicas", "spec", "replicas"),
            ("kube_statefulset_status_replicas", "status", "replicas"),
            ("kube_statefulset_status_replicas_ready", "status", "readyReplicas"),
            ("kube_statefulset_status_replicas_updated", "status", "updatedReplicas"),
        ),
        "statefulset",
    ),
    "DaemonSet": _figures(
        (
            ("kube_daemonset_status_desired_number_scheduled", "status", "desiredNumberScheduled"),
            ("kube_daemonset_status_current_number_scheduled", "status", "currentNumberScheduled"),
            ("kube_daemonset_status_number_ready", "status", "numberReady"),
            ("kube_daemonset_status_number_available", "status", "numberAvailable"),
            ("kube_daemonset_status_number_unavailable", "status", "numberUnavailable"),
            ("kube_daemonset_status_number_misscheduled", "status", "numberMisscheduled"),
            ("kube_daemonset_status_updated_number_scheduled", "status", "updatedNumberScheduled"),
        ),
        "daemonset",
    ),
    "Job": _job,
    "CronJob": _cronjob,
    "HorizontalPodAutoscaler": _autoscaler,
    "PersistentVolumeClaim": _claim,
    "PersistentVolume": _volume,
    "Namespace": _namespace,
}
