"""What components tell about themselves: samples with names, labels and types as the real ones have them.

    kubelets.py        kubelets' and cAdvisor's: what containers and machines use
    controlplane.py    API server, etcd, schedulers, controller managers
    programs.py        CoreDNS, kube-proxy, metrics-server, Prometheus
    state.py           kube-state-metrics': what the API server holds

Every series of theirs is of a family in FAMILIES, which says its type, and `text` writes it as its /metrics does.

Mirrors:  prometheus/common/expfmt
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cluster.kubelet import serving


class Family(NamedTuple):
    """`type`: counter, gauge or histogram; a histogram's series are `…_bucket`, `…_sum` and `…_count`."""

    type: str
    help: str


FAMILIES = {
    "up": Family("gauge", "Did the last scrape of this target succeed?"),
    "container_cpu_usage_seconds_total": Family("counter", "Cumulative cpu time consumed in seconds."),
    "container_memory_working_set_bytes": Family("gauge", "Current working set in bytes."),
    "container_start_time_seconds": Family("gauge", "Start time of the container since unix epoch in seconds."),
    "container_spec_cpu_quota": Family("gauge", "CPU quota of the container."),
    "container_spec_memory_limit_bytes": Family("gauge", "Memory limit for the container."),
    "node_cpu_usage_seconds_total": Family("counter", "Cumulative cpu time consumed by the node in core-seconds"),
    "node_memory_working_set_bytes": Family("gauge", "Current working set of the node in bytes"),
    "machine_cpu_cores": Family("gauge", "Number of logical CPU cores."),
    "machine_memory_bytes": Family("gauge", "Amount of memory installed on the machine."),
    "kubelet_running_containers": Family("gauge", "Number of containers currently running"),
    "kubelet_running_pods": Family("gauge", "Number of pods that have a running pod sandbox"),
    "kubelet_node_name": Family("gauge", "The node that this kubelet is of. Always 1."),
    "container_cpu_cfs_periods_total": Family("counter", "Periods of the CPU quota in which the container ran."),
    "container_cpu_cfs_throttled_periods_total": Family("counter", "Periods in which its quota was used up."),
    "container_cpu_cfs_throttled_seconds_total": Family("counter", "Seconds for which the container was throttled."),
    "pod_cpu_usage_seconds_total": Family("counter", "Cumulative cpu time consumed by the pod in core-seconds"),
    "pod_memory_working_set_bytes": Family("gauge", "Current working set of the pod in bytes"),
    "resource_scrape_error": Family("gauge", "1 if there was an error while reading usage, 0 otherwise"),
    "kubernetes_build_info": Family("gauge", "What this component says it is. Always 1."),
    "apiserver_request_total": Family("counter", "Requests by what they asked for and how they were answered."),
    "apiserver_request_duration_seconds": Family("histogram", "Time from a request to the end of its answer."),
    "apiserver_current_inflight_requests": Family("gauge", "Requests under way now."),
    "apiserver_longrunning_requests": Family("gauge", "Watches and streams that are open now."),
    "apiserver_watch_events_total": Family("counter", "Frames sent to watches."),
    "apiserver_storage_objects": Family("gauge", "Objects stored, by resource."),
    "apiserver_resource_objects": Family("gauge", "Objects stored, by group and resource."),
    "kubernetes_healthcheck": Family("gauge", "Does a check pass?"),
    "process_cpu_seconds_total": Family("counter", "Total user and system CPU time spent in seconds."),
    "process_resident_memory_bytes": Family("gauge", "Resident memory size in bytes."),
    "process_virtual_memory_bytes": Family("gauge", "Virtual memory size in bytes."),
    "process_start_time_seconds": Family("gauge", "Start time of the process since unix epoch in seconds."),
    "process_open_fds": Family("gauge", "Number of open file descriptors."),
    "process_max_fds": Family("gauge", "Maximum number of open file descriptors."),
    "rest_client_requests_total": Family("counter", "Requests to the API server, by method and code."),
    "leader_election_master_status": Family("gauge", "1: this replica leads; 0: it waits."),
    "workqueue_depth": Family("gauge", "Keys that wait in the queue now."),
    "workqueue_adds_total": Family("counter", "Keys that were added to the queue."),
    "workqueue_retries_total": Family("counter", "Keys that were put back with a back-off."),
    "scheduler_schedule_attempts_total": Family("counter", "Attempts to schedule a pod, by result and profile."),
    "scheduler_scheduling_attempt_duration_seconds": Family("histogram", "Time of an attempt, binding included."),
    "scheduler_pod_scheduling_attempts": Family("histogram", "Attempts that it took until a pod was scheduled."),
    "scheduler_pending_pods": Family("gauge", "Pods that wait, by queue."),
    "scheduler_preemption_attempts_total": Family("counter", "Attempts to make room for a pod."),
    "etcd_server_has_leader": Family("gauge", "Does this member know a leader?"),
    "etcd_server_is_leader": Family("gauge", "Is this member the leader?"),
    "etcd_server_leader_changes_seen_total": Family("counter", "Elections whose outcome this member has seen."),
    "etcd_server_proposals_committed_total": Family("gauge", "Entries that this member knows to be committed."),
    "etcd_server_proposals_applied_total": Family("gauge", "Entries that this member has applied."),
    "etcd_server_id": Family("gauge", "The member's id. Always 1."),
    "etcd_server_version": Family("gauge", "Which version is running. Always 1."),
    "etcd_mvcc_db_total_size_in_bytes": Family("gauge", "Size of the database, pages that are free included."),
    "etcd_mvcc_db_total_size_in_use_in_bytes": Family("gauge", "Size of the database, as far as it is used."),
    "etcd_debugging_mvcc_keys_total": Family("gauge", "Keys that exist."),
    "etcd_debugging_mvcc_current_revision": Family("gauge", "The newest revision."),
    "etcd_debugging_mvcc_compact_revision": Family("gauge", "The revision up to which history is gone."),
    "coredns_build_info": Family("gauge", "Which CoreDNS this is. Always 1."),
    "coredns_dns_requests_total": Family("counter", "Questions, by zone, protocol, family and type."),
    "coredns_dns_responses_total": Family("counter", "Answers, by zone and code."),
    "coredns_health_request_failures_total": Family("counter", "Times that the health check of itself failed."),
    "kubeproxy_sync_proxy_rules_iptables_total": Family("gauge", "Rules that kube-proxy owns, by table."),
    "kubeproxy_sync_proxy_rules_service_changes_total": Family("counter", "Changes of Services that it was told of."),
    "kubeproxy_sync_proxy_rules_endpoint_changes_total": Family("counter", "Changes of endpoints it was told of."),
    "kubeproxy_sync_proxy_rules_last_timestamp_seconds": Family("gauge", "When rules were last written."),
    "kubeproxy_sync_proxy_rules_no_local_endpoints_total": Family("gauge", "Services whose policy is Local, without."),
    "metrics_server_storage_points": Family("gauge", "Measurements that are kept, by type."),
    "prometheus_build_info": Family("gauge", "Which Prometheus this is. Always 1."),
    "prometheus_tsdb_head_series": Family("gauge", "Series that the store knows."),
    "prometheus_config_last_reload_successful": Family("gauge", "Could the configuration be read?"),
    "kube_pod_info": Family("gauge", "Information about pod."),
    "kube_pod_status_phase": Family("gauge", "The pods current phase."),
    "kube_pod_status_ready": Family("gauge", "Describes whether the pod is ready to serve requests."),
    "kube_pod_container_status_restarts_total": Family("counter", "The number of container restarts per container."),
    "kube_pod_container_status_ready": Family("gauge", "Describes whether the containers readiness check succeeded."),
    "kube_pod_container_status_waiting_reason": Family("gauge", "The reason the container is in waiting state."),
    "kube_node_info": Family("gauge", "Information about a cluster node."),
    "kube_node_status_condition": Family("gauge", "The condition of a cluster node."),
    "kube_node_spec_unschedulable": Family("gauge", "Whether a node can schedule new pods."),
    "kube_deployment_spec_replicas": Family("gauge", "Number of desired pods for a deployment."),
    "kube_deployment_status_replicas": Family("gauge", "The number of replicas per deployment."),
    "kube_deployment_status_replicas_available": Family("gauge", "The number of available replicas per deployment."),
    "kube_deployment_status_replicas_unavailable": Family("gauge", "The number of unavailable replicas."),
    serving.REQUESTS: Family("counter", "Requests that a load generator has had an outcome of, by what it was."),
    serving.DURATION: Family("summary", "How long requests take that are answered."),
    "kube_pod_owner": Family("gauge", "Information about the Pod's owner."),
    "kube_pod_container_resource_requests": Family("gauge", "Resources that a container requests."),
    "kube_pod_container_resource_limits": Family("gauge", "Resources that a container may use at most."),
    "kube_pod_container_status_last_terminated_reason": Family("gauge", "Why the container ended the last time."),
    "kube_node_status_capacity": Family("gauge", "Resources of a node."),
    "kube_node_status_allocatable": Family("gauge", "Resources of a node that pods may have."),
    "kube_node_spec_taint": Family("gauge", "A taint of a node."),
    "kube_replicaset_spec_replicas": Family("gauge", "Pods that a ReplicaSet should have."),
    "kube_replicaset_status_replicas": Family("gauge", "Pods that a ReplicaSet has."),
    "kube_replicaset_status_ready_replicas": Family("gauge", "Ready pods of a ReplicaSet."),
    "kube_statefulset_replicas": Family("gauge", "Pods that a StatefulSet should have."),
    "kube_statefulset_status_replicas": Family("gauge", "Pods that a StatefulSet has."),
    "kube_statefulset_status_replicas_ready": Family("gauge", "Ready pods of a StatefulSet."),
    "kube_statefulset_status_replicas_updated": Family("gauge", "Pods of a StatefulSet's newest revision."),
    "kube_daemonset_status_desired_number_scheduled": Family("gauge", "Nodes that should run the daemon's pod."),
    "kube_daemonset_status_current_number_scheduled": Family("gauge", "Nodes that should run it and do."),
    "kube_daemonset_status_number_ready": Family("gauge", "Nodes whose daemon pod is ready."),
    "kube_daemonset_status_number_available": Family("gauge", "Nodes whose daemon pod is available."),
    "kube_daemonset_status_number_unavailable": Family("gauge", "Nodes that should have an available one."),
    "kube_daemonset_status_number_misscheduled": Family("gauge", "Nodes that run it and should not."),
    "kube_daemonset_status_updated_number_scheduled": Family("gauge", "Nodes that run the newest revision."),
    "kube_job_spec_completions": Family("gauge", "Pods of a job that have to succeed."),
    "kube_job_status_active": Family("gauge", "Pods of a job that run."),
    "kube_job_status_succeeded": Family("gauge", "Pods of a job that succeeded."),
    "kube_job_status_failed": Family("gauge", "Pods of a job that failed."),
    "kube_job_complete": Family("gauge", "The job has completed."),
    "kube_job_failed": Family("gauge", "The job has failed."),
    "kube_job_status_start_time": Family("gauge", "When the job was started."),
    "kube_job_status_completion_time": Family("gauge", "When the job completed."),
    "kube_cronjob_spec_suspend": Family("gauge", "Is the CronJob suspended?"),
    "kube_cronjob_status_active": Family("gauge", "Jobs of a CronJob that run."),
    "kube_cronjob_status_last_schedule_time": Family("gauge", "When a job was last made."),
    "kube_horizontalpodautoscaler_spec_min_replicas": Family("gauge", "Replicas at least."),
    "kube_horizontalpodautoscaler_spec_max_replicas": Family("gauge", "Replicas at most."),
    "kube_horizontalpodautoscaler_status_current_replicas": Family("gauge", "Replicas that there are."),
    "kube_horizontalpodautoscaler_status_desired_replicas": Family("gauge", "Replicas that it wants."),
    "kube_horizontalpodautoscaler_status_condition": Family("gauge", "A condition of the autoscaler."),
    "kube_persistentvolumeclaim_info": Family("gauge", "Information about a claim."),
    "kube_persistentvolumeclaim_resource_requests_storage_bytes": Family("gauge", "Storage that a claim asks for."),
    "kube_persistentvolumeclaim_status_phase": Family("gauge", "The phase of a claim."),
    "kube_persistentvolume_capacity_bytes": Family("gauge", "Size of a volume."),
    "kube_persistentvolume_status_phase": Family("gauge", "The phase of a volume."),
    "kube_namespace_status_phase": Family("gauge", "The phase of a namespace."),
    "ALERTS": Family("gauge", "Alerts that are pending or firing."),
    "ALERTS_FOR_STATE": Family("gauge", "Since when an alert has been active, in seconds since 1970."),
    "scrape_samples_scraped": Family("gauge", "Samples that the target exposed."),
    "orrery_scrapes_missed_total": Family("counter", "Scrapes left out because the cluster's clock ran too fast."),
    "orrery_series_refused": Family("gauge", "Series that the store had no room for at the last scrape."),
}

Sample = tuple[dict[str, str], float]


_BASE = {
    f"{name}{suffix}": name
    for name, family in FAMILIES.items()
    for suffix in (("_bucket", "_sum", "_count") if family.type == "histogram" else ("",))
}


def family_of(name: str) -> str:
    """The family of a series; a name that a recording rule made is one of its own."""
    return _BASE.get(name, name)


def is_known(name: str) -> bool:
    return name in _BASE


def sample(name: str, value: float, /, **labels: str) -> Sample:
    """One sample of a family in FAMILIES."""
    if name not in _BASE:
        raise ValueError(f"{name} is in no family")
    if "" in labels.values():
        labels = {key: text for key, text in labels.items() if text}
    return {"__name__": name, **labels}, float(value)


def histogram(
    name: str, bounds: Sequence[float], counts: Mapping[int, int], total: float, /, **labels: str
) -> Iterator[Sample]:
    """`counts`: observations by number of their bucket, the one after the last bound +Inf's; `total`: their sum."""
    seen = 0
    for place, bound in enumerate((*bounds, math.inf)):
        seen += counts.get(place, 0)
        yield sample(f"{name}_bucket", seen, **labels, le=bound_shown(bound))
    yield sample(f"{name}_sum", total, **labels)
    yield sample(f"{name}_count", seen, **labels)


def bound_shown(bound: float) -> str:
    """
    >>> bound_shown(0.001), bound_shown(2.0), bound_shown(math.inf)
    ('0.001', '2', '+Inf')
    """
    return "+Inf" if bound == math.inf else f"{bound:g}"


def text(samples: Iterable[Sample]) -> str:
    """Prometheus' text format: families in the order of FAMILIES, each with its help and type."""
    by_name: dict[str, list[str]] = {}
    for labels, value in samples:
        shown = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels.items() if name != "__name__")
        line = f"{labels['__name__']}{{{shown}}} {value!r}" if shown else f"{labels['__name__']} {value!r}"
        by_name.setdefault(family_of(labels["__name__"]), []).append(line)
    lines = []
    for name, family in FAMILIES.items():
        if name in by_name:
            lines += [f"# HELP {name} {family.help}", f"# TYPE {name} {family.type}", *by_name[name]]
    return "".join(f"{line}\n" for line in lines)


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
