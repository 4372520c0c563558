"""What components tell about themselves: samples with names, labels and types as the real ones have them.

    machine     cAdvisor's and the kubelet's: what containers and the machine use
    objects     kube-state-metrics': what the API server holds
    loads       load generators': what came of their requests

Counters of CPU time are integrals of programs' usage, carried from scrape to scrape.

Mirrors:  google/cadvisor/metrics, kubernetes/pkg/kubelet/metrics, kubernetes/kube-state-metrics
Left out: series of disks and networks, histograms, init and ephemeral containers' states, owners, annotations.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cluster.kubelet import committed, serving
from cluster.network import Site
from cluster.objects import Manifest, meta, quantity

Record = Mapping[str, Any]
SECOND = 1_000_000
PHASES = ("Pending", "Succeeded", "Failed", "Unknown", "Running")
STATES = ("true", "false", "unknown")


class Family(NamedTuple):
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
    "apiserver_resource_objects": Family("gauge", "Number of stored objects at the time of last check."),
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
    "ALERTS": Family("gauge", "Alerts that are pending or firing."),
    "ALERTS_FOR_STATE": Family("gauge", "Since when an alert has been active, in seconds since 1970."),
    "scrape_samples_scraped": Family("gauge", "Samples that the target exposed."),
    "orrery_scrapes_missed_total": Family("counter", "Scrapes left out because the cluster's clock ran too fast."),
    "orrery_series_refused": Family("gauge", "Series that the store had no room for at the last scrape."),
}

Sample = tuple[dict[str, str], float]


def sample(name: str, value: float, /, **labels: str) -> Sample:
    """One sample of a family in FAMILIES."""
    if name not in FAMILIES:
        raise ValueError(f"{name} is in no family")
    return {"__name__": name, **{key: text for key, text in labels.items() if text}}, float(value)


def text(samples: Iterable[Sample]) -> str:
    """Prometheus' text format: families in the order of FAMILIES, each with its help and type."""
    by_name: dict[str, list[str]] = {}
    for labels, value in samples:
        shown = ",".join(f'{name}="{_escaped(label)}"' for name, label in labels.items() if name != "__name__")
        line = f"{labels['__name__']}{{{shown}}} {value!r}" if shown else f"{labels['__name__']} {value!r}"
        by_name.setdefault(labels["__name__"], []).append(line)
    lines = []
    for name, family in FAMILIES.items():
        if name in by_name:
            lines += [f"# HELP {name} {family.help}", f"# TYPE {name} {family.type}", *by_name[name]]
    return "".join(f"{line}\n" for line in lines)


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


class CpuTime:
    """Seconds of CPU that containers and machines have used in all, by container id or node name."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, float]] = {}  # (until when: microseconds since t = 0, seconds)

    def known(self, of: str, moment: int, seconds: float) -> None:
        """Told by an earlier scrape."""
        self._known[of] = (moment, seconds)

    def since(self, of: str, started: int) -> tuple[int, float]:
        return self._known.get(of, (started, 0.0))

    def keep(self, living: set[str]) -> None:
        """Forget all others."""
        self._known = {of: found for of, found in self._known.items() if of in living}


def container_samples(record: Record, moment: int, epoch: int, cpu: CpuTime) -> tuple[list[Sample], float, int]:
    """cAdvisor's of one running container at `moment`; seconds of CPU since the last scrape; bytes of memory."""
    identity = str(record["id"])
    pod = f"kubepods-pod{str(record['uid']).replace('-', '_')}.slice"
    labels = {"container": record["name"], "pod": record["pod"], "namespace": record["namespace"], "name": identity}
    labels |= {"image": record["image"], "id": f"/kubepods.slice/{pod}/cri-containerd-{identity}.scope"}
    begun, seconds = cpu.since(identity, record["started"])
    nano, memory = committed.measured(dict(record), begun, max(moment, begun), epoch)
    added = nano / 1e9 * max(moment - begun, 0) / SECOND
    cpu.known(identity, max(moment, begun), seconds + added)
    found = [
        sample("container_cpu_usage_seconds_total", seconds + added, cpu="total", **labels),
        sample("container_memory_working_set_bytes", memory, **labels),
        sample("container_start_time_seconds", (epoch + record["started"]) / SECOND, **labels),
    ]
    if record.get("cpu"):
        found.append(sample("container_spec_cpu_quota", record["cpu"] * 100, **labels))
    if record.get("memory"):
        found.append(sample("container_spec_memory_limit_bytes", record["memory"], **labels))
    return found, added, memory


def machine_samples(
    node: str, machine: Record, moment: int, containers: float, memory: int, cpu: CpuTime
) -> Iterator[Sample]:
    """metrics/resource of a machine. `containers`: seconds of CPU since the last scrape; `memory`: theirs, in bytes."""
    begun, seconds = cpu.since(node, moment)
    nano, used = committed.measured_machine(node, (), begun, max(moment, begun), 0)
    seconds += containers + nano / 1e9 * max(moment - begun, 0) / SECOND
    cpu.known(node, max(moment, begun), seconds)
    yield sample("node_cpu_usage_seconds_total", seconds)
    yield sample("node_memory_working_set_bytes", used + memory)
    yield sample("machine_cpu_cores", quantity.milli(machine["cpu"]) / 1000)
    yield sample("machine_memory_bytes", quantity.value(machine["memory"]))


def kubelet_samples(running: Sequence[Record]) -> Iterator[Sample]:
    yield sample("kubelet_running_containers", len(running), container_state="running")
    yield sample("kubelet_running_pods", len({record["uid"] for record in running}))


def load_samples(record: Record, moment: int) -> Iterator[Sample]:
    """A load generator's own."""
    for outcome, number in sorted(serving.outcomes(dict(record), moment).items()):
        yield sample(serving.REQUESTS, number // serving.MILLI, code=outcome)
    latency = serving.piece(dict(record), moment).get("latency") or ()
    for part, duration in zip(serving.QUANTILES, latency[1:], strict=False):
        yield sample(serving.DURATION, duration / SECOND, quantile=part)


COUNTED = {"Pod": "pods", "Node": "nodes", "Service": "services"}


def api_server_samples(site: Site) -> Iterator[Sample]:
    for kind, plural in COUNTED.items():
        yield sample("apiserver_resource_objects", len(site.list(kind)), resource=plural)


def object_samples(site: Site) -> Iterator[Sample]:
    """kube-state-metrics'."""
    for pod in site.list("Pod"):
        yield from _pod(pod)
    for node in site.list("Node"):
        yield from _node(node)
    for deployment in site.list("Deployment"):
        yield from _deployment(deployment)


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
    for each in status.get("containerStatuses") or ():
        named = {**labels, "container": each["name"]}
        yield sample("kube_pod_container_status_restarts_total", each.get("restartCount", 0), **named)
        yield sample("kube_pod_container_status_ready", bool(each.get("ready")), **named)
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason"):
            yield sample("kube_pod_container_status_waiting_reason", 1, **named, reason=waiting["reason"])


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
    for each in status.get("conditions") or ():
        labels = {"node": name, "condition": each["type"]}
        yield from _condition("kube_node_status_condition", status, each["type"], "status", labels)


def _deployment(deployment: Manifest) -> Iterator[Sample]:
    status = deployment.get("status") or {}
    labels = {"namespace": meta.namespace(deployment), "deployment": meta.name(deployment)}
    yield sample("kube_deployment_spec_replicas", deployment["spec"].get("replicas", 1), **labels)
    for field, name in (("replicas", ""), ("availableReplicas", "_available"), ("unavailableReplicas", "_unavailable")):
        yield sample(f"kube_deployment_status_replicas{name}", status.get(field, 0), **labels)
