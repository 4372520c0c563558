"""What a metrics-server answers, over HTTP: computed from committed rows, in the forms that kubectl asks for."""

import pytest

from cluster.models import Cluster
from cluster.world import World
from tests.builders import EPOCH, a_pod
from tests.cluster.gateway.asgi import fetch
from tests.cluster.gateway.conftest import CommittedCluster

BASE = "/apis/metrics.k8s.io/v1beta1"
PODS = f"{BASE}/namespaces/default/pods"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.fixture
def measured(transactional_db):
    """A cluster called `lab` with a node, a metrics-server and a pod `web`."""
    options = {"nodes": 1, "addons": ["metrics-server"]}
    row = Cluster.objects.create(name="lab", seed=7, epoch=EPOCH, engine="test", options=options)
    cluster = CommittedCluster(World.create(7, EPOCH, options, row.pk, 0))
    cluster.settle()
    pod = a_pod("web")
    pod["metadata"]["labels"] = {"app": "web"}
    cluster.create(pod)
    return cluster.run_for(60)


def test_pods_and_nodes_are_measured(measured):
    pods = fetch(PODS).json()
    assert (pods["kind"], pods["apiVersion"]) == ("PodMetricsList", "metrics.k8s.io/v1beta1")
    (web,) = pods["items"]
    assert web["metadata"]["labels"] == {"app": "web"}
    assert web["window"] == "15s"
    assert fetch(f"{PODS}/web").json()["kind"] == "PodMetrics"
    assert fetch(f"{BASE}/nodes/worker-1").json()["usage"]["cpu"].endswith("n")
    everywhere = [item["metadata"]["namespace"] for item in fetch(f"{BASE}/pods").json()["items"]]
    assert sorted(everywhere) == ["default", "kube-system"]


def test_the_world_and_the_gateway_give_the_same_answer(measured):
    assert fetch(f"{BASE}/pods").json()["items"] == [
        {key: value for key, value in each.items() if key not in ("kind", "apiVersion")}
        for each in sorted(
            measured.world.server.list_aggregated("metrics.k8s.io", "pods", ""),
            key=lambda each: (each["metadata"]["namespace"], each["metadata"]["name"]),
        )
    ]


def test_labels_select_and_tables_are_printed(measured):
    assert fetch(f"{PODS}?labelSelector=app%3Dother").json()["items"] == []
    table = fetch(PODS, accept=TABLE).json()
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
    name, cpu, memory, window = table["rows"][0]["cells"]
    assert (name, window) == ("web", "15s")
    assert cpu.endswith("m")
    assert memory.endswith("Ki")


def test_who_is_not_measured_is_not_found(measured):
    missing = fetch(f"{PODS}/nobody")
    assert (missing.status, missing.json()["message"]) == (404, 'podmetrics.metrics.k8s.io "default/nobody" not found')
    missing = fetch(f"{BASE}/nodes/nobody")
    assert (missing.status, missing.json()["message"]) == (404, 'nodemetrics.metrics.k8s.io "nobody" not found')


def test_it_can_only_be_read(measured):
    assert fetch(f"{PODS}/web", method="DELETE").status == 405
    assert fetch(f"{PODS}?watch=1").status == 405


def test_without_a_pod_of_the_server_it_is_503_in_plain_text(measured):
    scale = {"spec": {"replicas": 0}}
    path = "/apis/apps/v1/namespaces/kube-system/deployments/metrics-server"
    measured.request("PATCH", path, scale, content_type="application/merge-patch+json")
    measured.run_for(5)

    refused = fetch(PODS)

    assert (refused.status, refused.body) == (503, b"service unavailable\n")


def test_its_kinds_stand_in_discovery_and_openapi_while_there_is_an_api_service(measured):
    assert fetch("/apis/metrics.k8s.io").json()["preferredVersion"]["version"] == "v1beta1"
    resources = {each["name"]: each for each in fetch(BASE).json()["resources"]}
    assert resources["pods"]["kind"] == "PodMetrics"
    assert resources["nodes"]["verbs"] == ["get", "list"]
    schemas = fetch(f"/openapi/v3{BASE}").json()["components"]["schemas"]
    assert "io.k8s.metrics.v1beta1.PodMetrics" in schemas

    measured.request("DELETE", "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io")

    assert fetch(PODS).status == 404
    assert fetch("/apis/metrics.k8s.io").status == 404
