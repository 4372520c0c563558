"""What every component tells of itself, asked as `kubectl get --raw` asks, and what Prometheus keeps of it."""

from itertools import pairwise

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cluster.apiserver import commits
from cluster.kubelet import configuration
from cluster.models import Cluster
from cluster.monitoring.scraper import Scraper
from cluster.world import World
from tests.builders import EPOCH, a_deployment
from tests.cluster.gateway.asgi import fetch
from tests.cluster.gateway.conftest import CommittedCluster
from tests.cluster.monitoring.test_prometheus import SHORT, ask

PODS = "/api/v1/namespaces/kube-system/pods"


def told(path: str) -> dict[str, list]:
    """Series by name: [(labels, value)]. What can't be parsed fails here."""
    answer = fetch(path)
    assert answer.status == 200, answer.body
    found: dict[str, list] = {}
    for family in text_string_to_metric_families(answer.body.decode()):
        assert family.type != "unknown", family.name
        for each in family.samples:
            found.setdefault(each.name, []).append((each.labels, each.value))
    return found


def value(found: dict[str, list], name: str, /, **labels: str) -> float:
    """The sum over the series that have these labels."""
    return sum(number for given, number in found.get(name, ()) if labels.items() <= given.items())


def pod_of(cluster, prefix: str) -> str:
    names = [pod["metadata"]["name"] for pod in cluster.objects("Pod", "kube-system")]
    return next(name for name in names if name.startswith(prefix))


def test_the_api_server_counts_requests_of_components_and_of_everybody_else(watched):
    before = told("/metrics")
    assert value(before, "apiserver_request_total", verb="POST", resource="pods", subresource="binding") >= 4
    assert value(before, "apiserver_request_total", verb="PUT", resource="leases", code="200") > 10
    fetch("/api/v1/namespaces/default/pods")
    listed = {"verb": "LIST", "resource": "pods", "scope": "namespace"}
    after = told("/metrics")
    assert value(after, "apiserver_request_total", **listed) == value(before, "apiserver_request_total", **listed) + 1
    assert value(after, "apiserver_storage_objects", resource="pods") == 6


def test_all_processes_of_the_control_plane_have_an_address(watched):
    assert fetch("/control-plane").json()["paths"] == [
        "/control-plane/kube-controller-manager/1/metrics",
        "/control-plane/kube-scheduler/1/metrics",
        "/control-plane/etcd/etcd-0/metrics",
        "/control-plane/etcd/etcd-1/metrics",
        "/control-plane/etcd/etcd-2/metrics",
    ]
    assert fetch("/control-plane/kube-scheduler/1/healthz").body == b"ok"
    assert fetch("/control-plane/kube-scheduler/2/metrics").status == 404
    assert fetch("/control-plane/nothing/metrics").status == 404


def test_the_scheduler_tells_of_attempts_and_of_pods_that_wait(watched):
    before = told("/control-plane/kube-scheduler/1/metrics")
    large = a_deployment("large", replicas=2)
    large["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "500"}}
    watched.create(large)
    watched.run_for(5)
    watched.world.commit()
    after = told("/control-plane/kube-scheduler/1/metrics")
    profile = {"profile": "default-scheduler"}
    attempts = "scheduler_schedule_attempts_total"
    assert value(before, attempts, result="scheduled", **profile) >= 4
    assert value(after, attempts, result="unschedulable") >= value(before, attempts, result="unschedulable") + 2
    assert value(after, "scheduler_pending_pods") == 2
    took = "scheduler_scheduling_attempt_duration_seconds"
    assert value(after, f"{took}_bucket", result="scheduled", le="+Inf") == value(
        after, f"{took}_count", result="scheduled"
    )
    assert value(after, f"{took}_sum", result="scheduled") > 0
    assert value(after, "leader_election_master_status", name="kube-scheduler") == 1
    assert value(after, "rest_client_requests_total", method="POST", code="201") > 4


def test_a_restarted_scheduler_counts_from_nought(watched):
    watched.act("component-restart", component="kube-scheduler")
    watched.run_for(60)
    watched.world.commit()
    found = told("/control-plane/kube-scheduler/1/metrics")
    assert value(found, "scheduler_schedule_attempts_total") == 0


def test_a_controller_that_is_held_shows_how_its_queue_fills(watched):
    watched.act("component-stop", component="deployment-controller")
    watched.create(a_deployment("late", replicas=1))
    watched.run_for(5)
    watched.world.commit()
    found = told("/control-plane/kube-controller-manager/1/metrics")
    assert value(found, "workqueue_depth", name="deployment") == 1
    adds = value(found, "workqueue_adds_total", name="deployment")
    watched.act("component-start", component="deployment-controller")
    watched.run_for(5)
    watched.world.commit()
    after = told("/control-plane/kube-controller-manager/1/metrics")
    assert value(after, "workqueue_depth", name="deployment") == 0
    assert value(after, "workqueue_adds_total", name="deployment") >= adds


def test_counts_are_the_same_in_a_world_that_was_built_again(watched):
    row = Cluster.objects.get(name="lab")
    again = World.load(commits.row_of(row), row.pk, 0)
    assert again.dump() == watched.world.dump()


def test_etcd_without_a_majority_has_no_leader_and_a_stopped_member_refuses(watched):
    found = told("/control-plane/etcd/etcd-0/metrics")
    assert value(found, "etcd_server_has_leader") == value(found, "etcd_server_is_leader") == 1
    assert value(found, "etcd_mvcc_db_total_size_in_bytes") > 100_000
    assert value(found, "etcd_debugging_mvcc_current_revision") == watched.revision
    assert value(found, "etcd_debugging_mvcc_keys_total") > 100
    for member in ("etcd-1", "etcd-2"):
        watched.act("etcd", op="stop", member=member)
    watched.watch(30)
    assert value(told("/control-plane/etcd/etcd-0/metrics"), "etcd_server_has_leader") == 0
    assert fetch("/control-plane/etcd/etcd-0/health").status == 503
    refused = fetch("/control-plane/etcd/etcd-1/metrics")
    assert refused.status == 503
    assert b"dial tcp etcd-1:2381: connect: connection refused" in refused.body
    assert {dict(key)["instance"]: up for key, up in ask('up{job="etcd"}').items()} == {
        "etcd-0:2381": 1, "etcd-1:2381": 0, "etcd-2:2381": 0,
    }  # fmt: skip
    assert set(ask("etcd_server_has_leader").values()) == {0}


def test_an_election_is_seen_by_all_members(watched):
    before = value(told("/control-plane/etcd/etcd-1/metrics"), "etcd_server_leader_changes_seen_total")
    watched.act("etcd", op="stop", member="etcd-0")
    watched.run_for(10)
    watched.world.commit()
    after = told("/control-plane/etcd/etcd-1/metrics")
    assert value(after, "etcd_server_leader_changes_seen_total") > before
    assert value(after, "etcd_server_has_leader") == 1


def test_a_stopped_scheduler_is_down_for_prometheus(watched):
    watched.act("component-stop", component="kube-scheduler")
    watched.watch(30)
    assert set(ask('up{job="kube-scheduler"}').values()) == {0}
    assert fetch("/control-plane/kube-scheduler/1/metrics").status == 503
    assert ask("scheduler_pending_pods") == {}


def test_a_kubelet_answers_through_the_api_server(watched):
    node = "/api/v1/nodes/worker-1/proxy"
    assert fetch(f"{node}/healthz").body == b"ok"
    assert value(told(f"{node}/metrics"), "kubelet_running_pods") >= 2
    used = told("/api/v1/nodes/worker-1:10250/proxy/metrics/cadvisor")
    assert value(used, "container_cpu_usage_seconds_total", namespace="kube-system") > 0
    assert value(used, "machine_cpu_cores") > 0
    resource = told(f"{node}/metrics/resource")
    assert value(resource, "pod_memory_working_set_bytes") == value(resource, "container_memory_working_set_bytes")
    assert value(resource, "resource_scrape_error") == 0
    summary = fetch(f"{node}/stats/summary").json()
    assert summary["node"]["nodeName"] == "worker-1"
    whole = sum(pod["memory"]["workingSetBytes"] for pod in summary["pods"])
    assert 0 < whole < summary["node"]["memory"]["workingSetBytes"]
    pods = {pod["metadata"]["name"] for pod in fetch(f"{node}/pods").json()["items"]}
    assert {pod["podRef"]["name"] for pod in summary["pods"]} == pods
    assert {pod["metadata"]["name"] for pod in fetch(f"{node}/runningpods").json()["items"]} == pods
    config = fetch(f"{node}/configz").json()["kubeletconfig"]
    assert (config["evictionHard"], config["nodeStatusReportFrequency"]) == (configuration.HARD, "5m0s")
    assert b"pods/" in fetch(f"{node}/logs/").body
    assert fetch(f"{node}/nothing").status == 404
    assert fetch("/api/v1/nodes/nobody/proxy/healthz").status == 404


def test_a_kubelet_shows_what_a_container_printed(watched):
    proxy = pod_of(watched, "kube-proxy")
    node = next(pod for pod in watched.objects("Pod", "kube-system") if pod["metadata"]["name"] == proxy)
    where = node["spec"]["nodeName"]
    log = fetch(f"/api/v1/nodes/{where}/proxy/containerLogs/kube-system/{proxy}/kube-proxy?tailLines=2").body
    assert log.decode().count("\n") == 2
    assert log == fetch(f"{PODS}/{proxy}/log?tailLines=2").body


def test_a_node_without_power_can_t_be_asked(watched):
    watched.power_off("worker-2")
    watched.world.commit()
    refused = fetch("/api/v1/nodes/worker-2/proxy/metrics")
    assert refused.status == 503
    assert refused.json()["message"].endswith(":10250: connect: no route to host")


def test_cpu_counters_of_a_kubelet_that_is_asked_by_hand_never_go_down(watched):
    path, name = "/api/v1/nodes/worker-1/proxy/metrics/cadvisor", "container_cpu_usage_seconds_total"
    seen = []
    for _ in range(4):
        seen.append({labels["name"]: number for labels, number in told(path)[name]})
        watched.run_for(20)
        watched.world.commit()
    kept = [before[name] <= after[name] for before, after in pairwise(seen) for name in before]
    assert kept
    assert all(kept)


def test_kube_proxy_tells_of_its_rules(watched):
    path = f"{PODS}/{pod_of(watched, 'kube-proxy')}:10249/proxy/metrics"
    before = told(path)
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "default"}}
    watched.create({**service, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}})
    watched.run_for(5)
    watched.world.commit()
    after = told(path)
    rules = "kubeproxy_sync_proxy_rules_iptables_total"
    assert value(after, rules, table="nat") > value(before, rules, table="nat") > 0
    changes = "kubeproxy_sync_proxy_rules_service_changes_total"
    assert value(after, changes) == value(before, changes) + 1
    assert value(after, "kubeproxy_sync_proxy_rules_last_timestamp_seconds") > EPOCH / 1e6


def test_a_container_above_its_limit_is_throttled(watched):
    hungry = a_deployment("hungry", replicas=1)
    container = hungry["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": "polinux/stress", "command": ["stress", "--cpu", "2"]}
    container["resources"] = {"limits": {"cpu": "100m"}, "requests": {"cpu": "100m"}}
    watched.create(hungry)
    watched.watch(180)
    share = ask(
        'sum(increase(container_cpu_cfs_throttled_periods_total{pod=~"hungry.*"}[1m]))'
        ' / sum(increase(container_cpu_cfs_periods_total{pod=~"hungry.*"}[1m]))'
    )
    assert 0.9 < share[()] <= 1.01
    assert ask('increase(container_cpu_cfs_throttled_seconds_total{pod=~"hungry.*"}[1m]) > 30')


def test_series_have_the_labels_of_kube_prometheus(watched):
    paths = ask('count by (metrics_path) (up{job="kubelet"})')
    assert {dict(key)["metrics_path"] for key in paths} == {"/metrics", "/metrics/cadvisor", "/metrics/resource"}
    assert set(ask("kube_pod_owner{owner_kind='ReplicaSet',namespace='default'}").values()) == {1}
    assert ask('sum(kube_node_status_allocatable{resource="cpu",unit="core"})')[()] > 1
    jobs = fetch(f"{SHORT}/label/job/values").json()["data"]
    assert set(jobs) >= {"apiserver", "etcd", "kube-scheduler", "kube-controller-manager", "kube-proxy", "kubelet"}


def test_what_gateways_announce_is_added_to_what_components_ask(watched):
    scraper = next(each for each in watched.gathering._gatherers if isinstance(each, Scraper))
    labels = {"__name__": "apiserver_request_total", "verb": "POST", "version": "v1", "resource": "events"}
    labels |= {"scope": "namespace", "component": "apiserver", "code": "201"}
    query = 'sum(apiserver_request_total{verb="POST",resource="events",code="201"})'
    before = ask(query)[()]
    scraper._served = lambda: [(labels, 1_000.0)]
    watched.watch(15)
    assert ask(query)[()] >= before + 1_000
    assert set(ask(f"count by (job) ({query[4:-1]})").values()) == {1}


def test_coredns_counts_questions(transactional_db):
    options = {"nodes": 1, "addons": ["kube-proxy", "coredns"]}
    row = Cluster.objects.create(name="lab", seed=7, epoch=EPOCH, engine="test", options=options)
    cluster = CommittedCluster(World.create(7, EPOCH, options, row.pk, 0)).settle()
    ours = "default.svc.cluster.local"
    command = ["sh", "-c", f"nslookup kubernetes.{ours}; nslookup nobody.{ours}; sleep 1d"]
    asker = {"name": "asker", "image": "busybox", "command": command}
    cluster.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "asker", "namespace": "default"},
                    "spec": {"containers": [asker]}})  # fmt: skip
    cluster.run_for(30)
    cluster.world.commit()
    names = [pod["metadata"]["name"] for pod in cluster.objects("Pod", "kube-system")]
    all_of_them = [told(f"{PODS}/{name}:9153/proxy/metrics") for name in names if name.startswith("coredns")]
    assert all(value(each, "coredns_build_info") == 1 for each in all_of_them)
    asked = sum(value(each, "coredns_dns_requests_total", zone="cluster.local.", type="A") for each in all_of_them)
    assert asked > 0
    assert sum(value(each, "coredns_dns_responses_total", rcode="NXDOMAIN") for each in all_of_them) > 0
    service = told("/api/v1/namespaces/kube-system/services/kube-dns:9153/proxy/metrics")
    assert value(service, "coredns_build_info") == 1


@pytest.mark.parametrize("path", ["/metrics/slis", "/metrics"])
def test_every_text_is_of_known_types(watched, path):
    assert told(path)
