"""What a kubelet tells of its node: /metrics, /metrics/cadvisor, /metrics/resource, /stats/summary.

Counters of CPU time are integrals of what programs use. Whoever looks again and again carries them on from look to look
(`CpuTime`): Prometheus' scraper does, and so does a gateway that is asked by hand; they may differ by some hundredths.

Mirrors:  google/cadvisor/metrics, kubernetes/pkg/kubelet/{metrics, server/stats}, k8s.io/kubelet/pkg/apis/stats
Left out: series of disks and networks, cAdvisor's of pods and of the machine as a whole (`id="/"`), page faults, and
          what the kubelet counts of its own work.
Read next: scraper.py, gateway/nodes.py.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cluster.kubelet import committed
from cluster.monitoring.controlplane import build_info
from cluster.monitoring.families import Sample, sample
from cluster.objects import Manifest, meta, quantity, times

Record = Mapping[str, Any]
SECOND = 1_000_000
CFS_PERIOD = 100_000  # Microseconds: cpu.cfs_period_us.
FIRST_LOOK, LONG = 64, 60 * SECOND  # Parts in which a first look adds up what was used before, if it was long ago.


class Meter(NamedTuple):
    """A container. `nano`: CPU since the last look, in billionths of a core; `seconds`: CPU in all; `memory`: bytes.

    `throttled`: periods in which its limit stopped it; `lost`: seconds for which.
    """

    record: Record
    nano: float
    seconds: float
    memory: int
    throttled: float
    lost: float


class CpuTime:
    """What containers and machines have used in all, by container id or node name, as of the last look."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, float]] = {}  # (until when: microseconds since t = 0, seconds)
        self._throttled: dict[str, tuple[float, float]] = {}  # (periods, seconds)

    def known(self, of: str, moment: int, seconds: float) -> None:
        """Told by an earlier look."""
        self._known[of] = (moment, seconds)

    def known_throttled(self, of: str, periods: float = 0.0, seconds: float = 0.0) -> None:
        before = self._throttled.get(of, (0.0, 0.0))
        self._throttled[of] = (before[0] + periods, before[1] + seconds)

    def since(self, of: str, started: int) -> tuple[int, float]:
        return self._known.get(of, (started, 0.0))

    def keep(self, living: set[str]) -> None:
        """Forget all others."""
        self._known = {of: found for of, found in self._known.items() if of in living}
        self._throttled = {of: found for of, found in self._throttled.items() if of in living}

    def meter(self, record: Record, moment: int, epoch: int) -> Meter:
        """Look at a running container. Before the first look more is to be added up, and more carefully."""
        identity = str(record["id"])
        parts = 1 if identity in self._known else FIRST_LOOK if moment - record["started"] > LONG else 1
        begun, before = self.since(identity, record["started"])
        end, seconds = max(moment, begun), before
        used = committed.Metered(0, 0)
        for part in range(parts):
            low, high = (begun + (end - begun) * at // parts for at in (part, part + 1))
            used = committed.metered(dict(record), low, high, epoch)
            lasted = (high - low) / SECOND
            seconds += used.nano / 1e9 * lasted
            if used.throttled:
                self.known_throttled(identity, used.throttled * (high - low) / CFS_PERIOD, used.lost * lasted)
        self.known(identity, end, seconds)
        lasted = (end - begun) / SECOND
        nano = (seconds - before) / lasted * 1e9 if lasted else used.nano
        return Meter(record, nano, seconds, used.memory, *self._throttled.get(identity, (0.0, 0.0)))


class Node:
    """One look at a node whose kubelet answers. `running`: its containers; `moment`: microseconds since t = 0."""

    def __init__(
        self, name: str, machine: Record, running: Iterable[Record], moment: int, epoch: int, cpu: CpuTime
    ) -> None:
        self.name, self._machine, self._moment, self._epoch = name, machine, moment, epoch
        self._running, self._cpu = list(running), cpu
        self._meters: list[Meter] | None = None
        self._seconds, self._memory, self._nano = 0.0, 0, 0.0

    def _measure(self) -> list[Meter]:
        if self._meters is None:
            begun, seconds = self._cpu.since(self.name, self._moment)
            old = {str(each["id"]): self._cpu.since(str(each["id"]), each["started"])[1] for each in self._running}
            self._meters = [self._cpu.meter(each, self._moment, self._epoch) for each in self._running]
            lasted = max(self._moment - begun, 0) / SECOND
            nano, memory = committed.measured_machine(self.name, (), begun, max(self._moment, begun), 0)
            added = nano / 1e9 * lasted + sum(each.seconds - old[str(each.record["id"])] for each in self._meters)
            self._seconds = seconds + added
            self._memory = memory + sum(each.memory for each in self._meters)
            self._nano = added / lasted * 1e9 if lasted else sum(each.nano for each in self._meters)
            self._cpu.known(self.name, max(self._moment, begun), self._seconds)
        return self._meters

    # --- Prometheus' text ---------------------------------------------------------------------------------------

    def metrics(self) -> Iterator[Sample]:
        """/metrics: the kubelet's own."""
        yield build_info()
        yield sample("kubelet_node_name", 1, node=self.name)
        yield sample("kubelet_running_containers", len(self._running), container_state="running")
        yield sample("kubelet_running_pods", len({record["uid"] for record in self._running}))

    def cadvisor(self) -> Iterator[Sample]:
        """/metrics/cadvisor"""
        for meter in self._measure():
            yield from _container(meter, self._moment, self._epoch)
        yield sample("machine_cpu_cores", quantity.milli(self._machine["cpu"]) / 1000)
        yield sample("machine_memory_bytes", quantity.value(self._machine["memory"]))

    def node_usage(self) -> Iterator[Sample]:
        """The part of /metrics/resource that is about the node; of the others cAdvisor tells more."""
        self._measure()
        yield sample("node_cpu_usage_seconds_total", self._seconds)
        yield sample("node_memory_working_set_bytes", self._memory)

    def resource(self) -> Iterator[Sample]:
        """/metrics/resource"""
        pods: dict[tuple[str, str], list[float]] = {}
        for meter in self._measure():
            record = meter.record
            labels = {"container": record["name"], "namespace": record["namespace"], "pod": record["pod"]}
            yield sample("container_cpu_usage_seconds_total", meter.seconds, **labels)
            yield sample("container_memory_working_set_bytes", meter.memory, **labels)
            yield sample("container_start_time_seconds", (self._epoch + record["started"]) / SECOND, **labels)
            pod = pods.setdefault((record["namespace"], record["pod"]), [0.0, 0.0])
            pod[0], pod[1] = pod[0] + meter.seconds, pod[1] + meter.memory
        for (namespace, name), (seconds, memory) in sorted(pods.items()):
            yield sample("pod_cpu_usage_seconds_total", seconds, namespace=namespace, pod=name)
            yield sample("pod_memory_working_set_bytes", memory, namespace=namespace, pod=name)
        yield from self.node_usage()
        yield sample("resource_scrape_error", 0)

    # --- /stats/summary -----------------------------------------------------------------------------------------

    def summary(self) -> Manifest:
        """What `/stats/summary` answers, as far as CPU and memory go."""
        meters = self._measure()
        by_pod: dict[str, list[Meter]] = {}
        for meter in meters:
            by_pod.setdefault(str(meter.record["uid"]), []).append(meter)
        capacity = quantity.value(self._machine["memory"])
        memory = self._memory_of(self._memory) | {"availableBytes": max(capacity - self._memory, 0)}
        node = {"nodeName": self.name, "cpu": self._cpu_of(self._nano, self._seconds), "memory": memory}
        return {"node": node, "pods": [self._pod(found) for _, found in sorted(by_pod.items())]}

    def _pod(self, meters: list[Meter]) -> Manifest:
        first = meters[0].record
        reference = {"name": first["pod"], "namespace": first["namespace"], "uid": first["uid"]}
        started = self._stamp(min(each.record["started"] for each in meters))
        nano, seconds = sum(each.nano for each in meters), sum(each.seconds for each in meters)
        found = {"podRef": reference, "startTime": started, "containers": [self._container(each) for each in meters]}
        memory = self._memory_of(sum(each.memory for each in meters))
        return {**found, "cpu": self._cpu_of(nano, seconds), "memory": memory}

    def _container(self, meter: Meter) -> Manifest:
        named = {"name": meter.record["name"], "startTime": self._stamp(meter.record["started"])}
        return {**named, "cpu": self._cpu_of(meter.nano, meter.seconds), "memory": self._memory_of(meter.memory)}

    def _cpu_of(self, nano: float, seconds: float) -> Manifest:
        told = {"usageNanoCores": round(nano), "usageCoreNanoSeconds": round(seconds * 1e9)}
        return {"time": self._stamp(self._moment), **told}

    def _memory_of(self, used: int) -> Manifest:
        return {"time": self._stamp(self._moment), "usageBytes": used, "workingSetBytes": used, "rssBytes": used}

    def _stamp(self, moment: int) -> str:
        return times.rfc3339(self._epoch + moment)


def _container(meter: Meter, moment: int, epoch: int) -> Iterator[Sample]:
    """cAdvisor's of one running container."""
    record, identity = meter.record, str(meter.record["id"])
    pod = f"kubepods-pod{str(record['uid']).replace('-', '_')}.slice"
    labels = {"container": record["name"], "pod": record["pod"], "namespace": record["namespace"], "name": identity}
    labels |= {"image": record["image"], "id": f"/kubepods.slice/{pod}/cri-containerd-{identity}.scope"}
    yield sample("container_cpu_usage_seconds_total", meter.seconds, cpu="total", **labels)
    yield sample("container_memory_working_set_bytes", meter.memory, **labels)
    yield sample("container_start_time_seconds", (epoch + record["started"]) / SECOND, **labels)
    if record.get("cpu"):
        periods = (max(moment, record["started"]) - record["started"]) // CFS_PERIOD
        yield sample("container_spec_cpu_quota", record["cpu"] * 100, **labels)
        yield sample("container_cpu_cfs_periods_total", periods, **labels)
        yield sample("container_cpu_cfs_throttled_periods_total", min(int(meter.throttled), periods), **labels)
        yield sample("container_cpu_cfs_throttled_seconds_total", meter.lost, **labels)
    if record.get("memory"):
        yield sample("container_spec_memory_limit_bytes", record["memory"], **labels)


def address(node: Manifest) -> str:
    addresses = (node.get("status") or {}).get("addresses") or ()
    return next((str(each["address"]) for each in addresses if each["type"] == "InternalIP"), meta.name(node))
