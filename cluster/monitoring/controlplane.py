"""What the control plane tells about itself: API server, etcd's members, schedulers and controller managers.

Their processes have no pods here, so they have addresses of their own, which are also what Prometheus calls them:

    kube-scheduler             control-plane:10259   control-plane-2:10259 …        a replica each
    kube-controller-manager    control-plane:10257       cloud-controller-manager    control-plane:10258
    etcd                       etcd-0:2381   etcd-1:2381 …                           a member each
    apiserver                  10.0.0.1:6443

Everything is read from what was committed: counts, queues and memories in the agenda, rows of processes and members. A
process that starts anew counts anew. What a gateway counts of its own requests is handed in.

Mirrors:  kubernetes/pkg/scheduler/metrics, client-go/util/workqueue/metrics.go, component-base/metrics,
          etcd/server/etcdserver/metrics.go, server/storage/mvcc/metrics.go
Left out: Go's and process' own series of simulated processes; how long keys wait and are worked on (no simulated time
          passes in a step); requests of informers; etcd's disk, network and client durations; csi-disk-controller.
Read next: scraper.py, gateway/machineroom.py.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from cluster import processes
from cluster.apiserver import quorum, registry
from cluster.apiserver.discovery import VERSION
from cluster.engine.agenda import RETRIES, TAKEN, counted_by
from cluster.engine.client import REQUESTS
from cluster.monitoring.families import Sample, histogram, is_known, sample
from cluster.network import API_PORT, API_SERVER, Site
from cluster.objects import errors
from cluster.objects.histogram import ATTEMPTS, DURATIONS

SECOND = 1_000_000
PORTS = {"kube-scheduler": 10259, "kube-controller-manager": 10257, "cloud-controller-manager": 10258}
ETCD, ETCD_PORT, ETCD_VERSION = "etcd", 2381, "3.6.6"
API = "apiserver"  # Its job.
PAGE = 4096  # Bytes of etcd's database file.
QUEUES = {  # Components to the names of their queues; others are called like their component.
    "deployment-controller": "deployment",
    "replicaset-controller": "replicaset",
    "replication-controller": "replicationmanager",
    "statefulset-controller": "statefulset",
    "daemonset-controller": "daemonset",
    "job-controller": "job",
    "cronjob-controller": "cronjob",
    "endpoint-controller": "endpoint",
    "endpoint-slice-controller": "endpoint_slice",
    "endpoint-slice-mirroring-controller": "endpoint_slice_mirroring",
    "namespace-controller": "namespace",
    "service-account-controller": "serviceaccount",
    "serviceaccount-token-controller": "serviceaccount_tokens_service",
    "root-ca-certificate-publisher-controller": "root_ca_cert_publisher",
    "garbage-collector-controller": "garbage_collector_attempt_to_delete",
    "resourcequota-controller": "resourcequota_primary",
    "horizontal-pod-autoscaler-controller": "horizontalpodautoscaler",
    "disruption-controller": "disruption",
    "ttl-controller": "ttlcontroller",
    "ttl-after-finished-controller": "ttl_jobs_to_delete",
    "node-ipam-controller": "noderesource",
    "node-lifecycle-controller": "node_lifecycle_controller",
    "pod-garbage-collector-controller": "orphaned_pods_nodes",
    "persistentvolume-binder-controller": "claims",
    "persistentvolumeclaim-protection-controller": "pvcprotection",
    "persistentvolume-protection-controller": "pvprotection",
    "ephemeral-volume-controller": "ephemeral_volume",
    "clusterrole-aggregation-controller": "ClusterRoleAggregator",
    "certificatesigningrequest-signing-controller": "certificate",
    "service-lb-controller": "service",
    "cloud-node-controller": "node",
}
POD_QUEUES = ("active", "backoff", "gated", "unschedulable")
SCHEDULER, SCHEDULER_PODS = "kube-scheduler", "kube-scheduler|m|pod/"
_BUILD = {
    "major": "major", "minor": "minor", "git_version": "gitVersion", "git_commit": "gitCommit",
    "git_tree_state": "gitTreeState", "build_date": "buildDate", "go_version": "goVersion", "compiler": "compiler",
    "platform": "platform",
}  # fmt: skip


class Process(NamedTuple):
    """One process of the control plane. `name`: as it is stopped and started; `on`: does it run?"""

    job: str
    name: str
    instance: str
    on: bool


def build_info() -> Sample:
    return sample("kubernetes_build_info", 1, **{label: str(VERSION[name]) for label, name in _BUILD.items()})


class ControlPlane:
    """One look at a cluster. `served`: what gateways have counted."""

    def __init__(self, site: Site, served: Iterable[Sample] = ()) -> None:
        self._site, self._served = site, served
        self._rows, self._members = site.control_plane()
        self._agenda = site.agenda()
        self._depths: Counter[str] = Counter()
        self._pods: Counter[str] = Counter()
        for slot in self._agenda:
            component, kind, _ = slot.split("|", 2)
            if kind == "r":
                self._depths[component] += 1
            elif slot.startswith(SCHEDULER_PODS):
                self._pods[self._agenda[slot]["queue"]] += 1

    def processes(self) -> Iterator[Process]:
        """All that have an address, running or not."""
        yield Process(API, API, f"{API_SERVER}:{API_PORT}", True)
        for name in sorted(self._rows):
            row = self._rows[name]
            if row.get("process") in PORTS:
                machine = row["id"].partition("_")[0]
                yield Process(row["process"], name, f"{machine}:{PORTS[row['process']]}", row["on"])
        for name in quorum.names(self._members):
            yield Process(ETCD, name, f"{name}:{ETCD_PORT}", self._members[name]["on"])

    def samples(self, process: Process) -> Iterator[Sample]:
        return _TELL.get(process.job, ControlPlane._replica)(self, process)

    # --- requests -----------------------------------------------------------------------------------------------

    def _requests(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        """(user, method, kind, sub-resource, code, how many) that components sent."""
        for slot, counts in self._agenda.items():
            if slot.startswith(REQUESTS):
                for what, number in counts.items():
                    method, about, code = what.split(" ")
                    kind, _, subresource = about.partition("/")
                    yield slot.removeprefix(REQUESTS), method, kind, subresource, code, number

    def _api_server(self, process: Process) -> Iterator[Sample]:
        """Components' requests and everybody else's are added up."""
        found: dict[tuple[tuple[str, str], ...], tuple[dict[str, str], float]] = {}
        for labels, value in (*self._of_components(), *self._served):
            if is_known(labels["__name__"]):
                key = tuple(sorted(labels.items()))
                found[key] = (labels, found[key][1] + value if key in found else value)
        yield from found.values()
        yield build_info()
        yield from stored_samples(self._site.stored())

    def _of_components(self) -> Iterator[Sample]:
        for _, method, kind, subresource, code, number in self._requests():
            resource = registry.find(kind, "")
            if resource is None:  # A custom kind: its name in caches is `plural.group`.
                plural, _, group = kind.partition(".")
                where = {"group": group, "resource": plural, "scope": "resource"}
            else:
                made = method == "POST" and not subresource
                scope = ("namespace" if resource.namespaced else "cluster") if made else "resource"
                where = {"group": resource.group, "version": resource.version, "resource": resource.plural}
                where["scope"] = scope
            where |= {"verb": method, "subresource": subresource, "component": "apiserver", "code": code}
            yield sample("apiserver_request_total", number, **where)

    def _client_samples(self, users: Callable[[str], bool]) -> Iterator[Sample]:
        totals: Counter[tuple[str, str]] = Counter()
        for user, method, _, _, code, number in self._requests():
            if users(user):
                totals[method, code] += number
        for (method, code), number in sorted(totals.items()):
            host = f"{API_SERVER}:{API_PORT}"
            yield sample("rest_client_requests_total", number, method=method, code=code, host=host)

    # --- processes that elect -----------------------------------------------------------------------------------

    def _replica(self, process: Process) -> Iterator[Sample]:
        yield build_info()
        leads = self._rows[process.name]["leads"]
        yield sample("leader_election_master_status", leads, name=process.job)
        if not leads:
            return
        yield from self._client_samples(_users_of(process.job))
        if process.job == SCHEDULER:
            yield from self._scheduler()
            return
        for component in processes.components(process.job):
            yield from self._queue(component)

    def _queue(self, component: str) -> Iterator[Sample]:
        """What was taken was added before, and what waits, too."""
        name, counts = QUEUES.get(component, component), self._agenda.get(counted_by(component)) or {}
        depth = self._depths[component]
        yield sample("workqueue_depth", depth, name=name)
        yield sample("workqueue_adds_total", counts.get(TAKEN, 0) + depth, name=name)
        yield sample("workqueue_retries_total", counts.get(RETRIES, 0), name=name)

    def _scheduler(self) -> Iterator[Sample]:
        counts = self._agenda.get(counted_by(SCHEDULER)) or {}
        for queue in POD_QUEUES:
            yield sample("scheduler_pending_pods", self._pods[queue], queue=queue)
        yield sample("scheduler_preemption_attempts_total", counts.get("preemptions", 0))
        buckets: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        tries = {}
        for what, number in counts.items():
            word, *rest = what.split(" ")
            if word == "attempts":
                buckets[rest[1], rest[2]][int(rest[0])] = number
            elif word == "tries" and rest:
                tries[int(rest[0])] = number
        bounds = [bound / SECOND for bound in DURATIONS]
        for (result, profile), found in sorted(buckets.items()):
            labels = {"result": result, "profile": profile}
            yield sample("scheduler_schedule_attempts_total", sum(found.values()), **labels)
            took = counts.get(f"duration {result} {profile}", 0) / SECOND
            yield from histogram("scheduler_scheduling_attempt_duration_seconds", bounds, found, took, **labels)
        yield from histogram("scheduler_pod_scheduling_attempts", ATTEMPTS, tries, counts.get("tries", 0))

    # --- etcd ---------------------------------------------------------------------------------------------------

    def _etcd(self, process: Process) -> Iterator[Sample]:
        revision, held = self._site.revision, self._site.history()
        member = quorum.standing(self._members, process.name, revision)
        yield sample("etcd_server_has_leader", bool(member.leader))
        yield sample("etcd_server_is_leader", member.leader == process.name)
        yield sample("etcd_server_leader_changes_seen_total", member.elections)
        yield sample("etcd_server_proposals_committed_total", member.entry)
        yield sample("etcd_server_proposals_applied_total", member.entry)
        yield sample("etcd_server_id", 1, server_id=member.id)
        yield sample("etcd_server_version", 1, server_version=ETCD_VERSION)
        used = -(-held.bytes // PAGE) * PAGE
        yield sample("etcd_mvcc_db_total_size_in_bytes", used)
        yield sample("etcd_mvcc_db_total_size_in_use_in_bytes", used)
        yield sample("etcd_debugging_mvcc_keys_total", held.keys)
        yield sample("etcd_debugging_mvcc_current_revision", member.revision)
        yield sample("etcd_debugging_mvcc_compact_revision", held.compacted)


_TELL: dict[str, Callable[[ControlPlane, Process], Iterator[Sample]]] = {
    API: ControlPlane._api_server,
    ETCD: ControlPlane._etcd,
}


def _users_of(process: str) -> Callable[[str], bool]:
    """As whom a process sends its requests: controllers may have accounts of their own."""
    own = f"system:{process}"
    if process == "kube-controller-manager":
        return lambda user: user == own or user.startswith("system:serviceaccount:kube-system:")
    return lambda user: user == own


def stored_samples(stored: Iterable[tuple[str, str, int]]) -> Iterator[Sample]:
    """`stored`: (group, resource, objects)."""
    for group, plural, number in stored:
        yield sample("apiserver_storage_objects", number, resource=f"{plural}.{group}" if group else plural)
        yield sample("apiserver_resource_objects", number, group=group, resource=plural)


def found(site: Site, job: str, name: str, served: Iterable[Sample] = ()) -> list[Sample]:
    """What one process tells. Errors: NotFound; ServiceUnavailable in the words of a dialler, if it does not run."""
    plane = ControlPlane(site, served)
    known = [each for each in plane.processes() if each.job == job]
    for each in known:
        if name in (each.name, each.name.rpartition("/")[2], each.instance):
            if not each.on:
                raise Unreachable(f"dial tcp {each.instance}: connect: connection refused")
            return list(plane.samples(each))
    there = ", ".join(each.name for each in known)
    raise errors.NotFound("", job, name, f'{job} "{name}" not found; there are: {there or "none"}')


class Unreachable(errors.ApiError):
    status, reason = 503, "ServiceUnavailable"
