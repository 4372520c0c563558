"""Without a network plugin a node is not ready and pods wait; flannel's pods bring one, and it stays when they go."""

from cluster import lifecycle
from cluster.addons import USUAL, installer
from cluster.objects import conditions
from tests.builders import TestCluster, a_cluster, a_pod

WHY = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"
    " message:Network plugin returns error: cni plugin not initialized"
)


def ready(cluster: TestCluster, node: str = "worker-1") -> tuple[str, str, str]:
    found = conditions.get(cluster.get("Node", node), "Ready") or {}
    return found["status"], found["reason"], found["message"]


def install(cluster: TestCluster) -> None:
    for obj in installer.manifests("flannel"):
        cluster.create(obj)
        cluster.run_for(0.1)


def test_a_node_without_a_plugin_says_so_and_takes_no_pods():
    cluster = a_cluster(nodes=2, addons=list(USUAL), cni="none")

    assert ready(cluster) == ("False", "KubeletNotReady", WHY)
    phases = {pod["metadata"]["name"]: pod["status"]["phase"] for pod in cluster.world.informers.list("Pod")}
    assert {phase for name, phase in phases.items() if name.startswith("kube-proxy")} == {"Running"}
    assert {phase for name, phase in phases.items() if name.startswith("coredns")} == {"Pending"}


def test_a_pod_that_is_bound_to_it_waits_for_the_network():
    cluster = a_cluster(nodes=1, cni="none")
    cluster.create(a_pod("web", nodeName="worker-1", tolerations=[{"operator": "Exists"}]))
    cluster.run_for(20)

    assert cluster.get("Pod", "web")["status"]["phase"] == "Pending"
    assert cluster.events("NetworkNotReady")[0]["message"] == f"network is not ready: {WHY}"


def test_a_plugin_makes_nodes_ready_and_its_configuration_stays():
    cluster = a_cluster(nodes=2, addons=list(USUAL), cni="none")
    install(cluster)
    cluster.run_until(lambda c: ready(c)[0] == ready(c, "worker-2")[0] == "True", 60)
    cluster.create(a_pod("web"))
    cluster.run_until(lambda c: c.get("Pod", "web")["status"]["phase"] == "Running", 60)

    for obj in installer.manifests("flannel"):
        if obj["kind"] == "DaemonSet":
            cluster.delete(obj)
    cluster.run_for(120)

    assert ready(cluster)[0] == "True"


def test_a_wish_for_another_plugin_is_refused():
    request = {"options": {"cni": "calico"}}
    assert lifecycle.problem_of("lab", request) == "cni is 'calico'; it must be built-in or none"
