"""metrics-server answers for metrics.k8s.io as long as one of its pods does: after that nobody knows what pods use."""

import orjson
import pytest

from cluster.addons import ADDONS, installer
from cluster.objects import conditions, errors, meta
from cluster.world import World, replay
from tests.builders import TestCluster, a_cluster, a_deployment, a_pod
from tests.cluster.controllers.test_autoscaling import an_autoscaler, condition, replicas

GROUP = "metrics.k8s.io"
KNOWN = ", ".join(ADDONS)
SERVER = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "metrics-server"}}


@pytest.fixture
def cluster() -> TestCluster:
    """Its metrics-server has been ready for a while."""
    return a_cluster(nodes=2, addons=["metrics-server"])


def measured(cluster: TestCluster, plural: str = "pods", namespace: str = "default") -> dict[str, dict]:
    found = cluster.world.server.list_aggregated(GROUP, plural, namespace)
    return {meta.name(each): each for each in found}


def available(cluster: TestCluster) -> tuple[str, str, str]:
    entry = cluster.world.informers.get("APIService", "", f"v1beta1.{GROUP}")
    assert entry is not None
    found = conditions.get(entry, "Available") or {}
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def server_pod(cluster: TestCluster) -> dict:
    return cluster.world.informers.list("Pod", "kube-system")[0]


def test_the_api_is_there_once_a_pod_of_the_server_is_ready():
    world = World.create(7, 1_795_484_400_000_000, {"nodes": 2, "addons": ["metrics-server"]})
    cluster = TestCluster(world).run_for(10)
    told = 'endpointslices for service/metrics-server in "kube-system" have no addresses with port name "https"'
    assert available(cluster) == ("False", "MissingEndpoints", told)
    with pytest.raises(errors.ApiError, match="currently unable to handle the request"):
        measured(cluster)

    cluster.run_for(60)

    assert available(cluster) == ("True", "Passed", "all checks passed")
    assert set(measured(cluster, "nodes", "")) == {"worker-1", "worker-2"}


def test_a_pod_is_measured_from_the_first_look_that_is_ten_seconds_after_its_start(cluster):
    cluster.create(a_pod("web"))
    cluster.run_until(lambda c: conditions.is_true(c.get("Pod", "web"), "Ready"))
    assert measured(cluster) == {}

    cluster.run_for(26)

    (container,) = measured(cluster)["web"]["containers"]
    assert container["name"] == "app"
    assert container["usage"]["cpu"].endswith("n")
    assert container["usage"]["memory"].endswith("Ki")


def test_a_node_without_power_is_not_measured_at_the_next_look(cluster):
    other = "worker-2" if server_pod(cluster)["spec"]["nodeName"] == "worker-1" else "worker-1"
    cluster.power_off(other)

    cluster.run_for(16)

    assert other not in measured(cluster, "nodes", "")


def test_the_node_of_the_server_dies_and_its_heir_answers_later(cluster):
    cluster.create(a_pod("web"))
    cluster.run_for(60)
    assert "web" in measured(cluster)
    node = server_pod(cluster)["spec"]["nodeName"]
    cluster.power_off(node)
    with pytest.raises(errors.ApiError, match="currently unable"):
        measured(cluster)
    cluster.run_for(31)
    status, reason, message = available(cluster)
    assert (status, reason) == ("False", "FailedDiscoveryCheck")
    assert message.endswith(":10250: connect: no route to host")

    cluster.run_for(600)

    assert available(cluster)[:2] == ("True", "Passed")
    assert set(measured(cluster, "nodes", "")) == {"worker-1", "worker-2"} - {node}


def test_scaled_to_nothing_the_server_answers_nobody(cluster):
    cluster.patch({**SERVER, "metadata": {**SERVER["metadata"], "namespace": "kube-system"}}, {"spec": {"replicas": 0}})
    cluster.run_for(5)

    assert available(cluster)[1] == "MissingEndpoints"
    with pytest.raises(errors.ApiError, match="currently unable"):
        measured(cluster)


@pytest.mark.parametrize(
    ("change", "reason", "message"),
    [
        ({"name": "gone"}, "ServiceNotFound", 'service/gone in "kube-system" is not present'),
        ({"port": 8443}, "ServicePortError", 'service/metrics-server in "kube-system" is not listening on port 8443'),
    ],
)
def test_an_api_service_says_what_is_wrong_with_its_service(cluster, change, reason, message):
    path = f"/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.{GROUP}"
    cluster.request("PATCH", path, {"spec": {"service": change}}, content_type="application/merge-patch+json")
    cluster.run_for(1)

    assert available(cluster) == ("False", reason, message)


def test_a_pod_that_is_no_metrics_server_does_not_answer(cluster):
    deployment = {**SERVER, "metadata": {**SERVER["metadata"], "namespace": "kube-system"}}
    ports = [{"name": "https", "containerPort": 10250}]
    shop = {"name": "metrics-server", "image": "acme/shop:1", "ports": ports}
    cluster.patch(deployment, {"spec": {"template": {"spec": {"containers": [shop]}}}})
    cluster.run_for(120)

    address = server_pod(cluster)["status"]["podIP"]
    url = f"https://{address}:10250/apis/{GROUP}/v1beta1"
    told = f"failing or missing response from {url}: bad status from {url}: 404"
    assert available(cluster) == ("False", "FailedDiscoveryCheck", told)


def test_an_autoscaler_follows_what_pods_really_use(cluster):
    cluster.create(a_deployment("web", 1, image="orrery/leaker", resources={"requests": {"cpu": "10m"}}))
    cluster.create(an_autoscaler("web", maxReplicas=3))

    cluster.run_for(400)

    assert replicas(cluster) == 3
    assert condition(cluster, "ScalingActive") == ("True", "ValidMetricFound")


def test_without_a_metrics_server_an_autoscaler_says_so():
    cluster = a_cluster()
    cluster.create(a_deployment("web", 1, resources={"requests": {"cpu": "10m"}}))
    cluster.create(an_autoscaler("web"))

    cluster.run_for(60)

    assert condition(cluster, "ScalingActive") == ("False", "FailedGetResourceMetric")


def test_the_api_goes_with_its_api_service(cluster):
    assert cluster.world.server.kinds.by_path(GROUP, "v1beta1", "pods") is not None

    cluster.request("DELETE", f"/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.{GROUP}")

    assert cluster.world.server.kinds.by_path(GROUP, "v1beta1", "pods") is None
    with pytest.raises(errors.NotFound, match="could not find the requested resource"):
        measured(cluster)


def test_an_add_on_that_somebody_deletes_stays_away(cluster):
    for obj in installer.manifests("metrics-server"):
        cluster.delete(obj)

    cluster.run_for(300)

    assert cluster.world.informers.list("Pod", "kube-system") == []


def test_a_cluster_with_add_ons_is_lived_again_byte_for_byte(cluster):
    cluster.create(a_deployment("web", 1, image="orrery/leaker", resources={"requests": {"cpu": "10m"}}))
    cluster.create(an_autoscaler("web", maxReplicas=3))
    cluster.run_for(200)

    again = replay(orjson.loads(orjson.dumps(cluster.world.export())), slice_steps=13)

    assert again.dump() == cluster.world.dump()


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [
        ("metrics-server", f"addons is 'metrics-server'; it must be a list of names of: {KNOWN}"),
        (["mesh"], f"addons: there is no 'mesh'; known: {KNOWN}"),
        ([7], f"addons is [7]; it must be a list of names of: {KNOWN}"),
    ],
)
def test_a_wish_for_an_add_on_that_there_is_not_is_refused(wanted, problem):
    assert installer.problem_of(wanted) == problem
    assert installer.problem_of(list(ADDONS)) == ""
