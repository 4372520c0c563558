"""Whatever people do to a cloud: a rebuilt world lives the same life, and in the end everything is as it should be."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.objects import conditions, meta, nodes
from tests.builders import Refused, TestCluster, a_cluster
from tests.cluster.cloud.test_balancers import a_balanced_service
from tests.replay.test_rebuilding import rebuilt

NODES = ("worker-1", "worker-2", "new-1", "new-2")
SERVICES = ("one", "two")
CONTROLLERS = (
    "cloud-node-controller",
    "cloud-node-lifecycle-controller",
    "service-lb-controller",
    "node-route-controller",
)
SIMPLE = ("on", "off", "ok", "slow", "fail", "down")
Deed = tuple[str, dict[str, Any]]

deeds = st.one_of(
    st.sampled_from(SIMPLE).map(lambda op: ("cloud", {"op": op})),
    st.tuples(st.sampled_from(("balancers", "routes")), st.integers(0, 3)).map(
        lambda quota: ("cloud", {"op": "quota", "kind": quota[0], "limit": quota[1]})
    ),
    st.just(("cloud", {"op": "throttle", "rate": 1})),
    st.sampled_from(NODES).map(lambda name: ("node-add", {"name": name})),
    st.tuples(st.sampled_from(("power-off", "power-on", "cloud-terminate", "node-remove")), st.sampled_from(NODES)).map(
        lambda pair: (pair[0], {"node": pair[1]})
    ),
    st.tuples(
        st.sampled_from(("component-stop", "component-start", "component-restart")), st.sampled_from(CONTROLLERS)
    ).map(lambda pair: (pair[0], {"component": pair[1]})),
    st.tuples(st.sampled_from(("create", "delete", "retype")), st.sampled_from(SERVICES)).map(
        lambda pair: (pair[0], {"service": pair[1]})
    ),
)
lives = st.lists(st.tuples(deeds, st.integers(0, 45)), max_size=14)


def act(cluster: TestCluster, deed: Deed) -> None:
    """Do it; what is refused did not happen."""
    what, words = deed
    try:
        if what == "create":
            cluster.create(a_balanced_service(words["service"]))
        elif what in ("delete", "retype"):
            service = cluster.get("Service", words["service"])
            if service is not None and what == "delete":
                cluster.delete(service)
            elif service is not None:
                cluster.patch(service, {"spec": {"type": "ClusterIP", "ports": [{"port": 80}]}})
        else:
            cluster.act(what, **words)
    except Refused as refusal:
        if refusal.status >= 500:
            raise


def live(life: list[tuple[Deed, int]], rebuild: bool) -> TestCluster:
    cluster = a_cluster(nodes=2, cloud=True)
    for deed, seconds in life:
        act(cluster, deed)
        cluster.run_for(seconds)
        if rebuild:
            cluster.world = rebuilt(cluster.world)
    return cluster


@settings(max_examples=15, deadline=None, derandomize=True)
@given(lives)
def test_a_world_that_is_rebuilt_after_every_deed_lives_the_same_life(life):
    assert live(life, rebuild=True).world.dump() == live(life, rebuild=False).world.dump()


@settings(max_examples=15, deadline=None, derandomize=True)
@given(lives)
def test_when_the_cloud_works_again_every_node_and_every_service_gets_what_it_wants(life):
    cluster = live(life, rebuild=False)
    for deed in (("cloud", {"op": "on"}), ("cloud", {"op": "ok"})):
        act(cluster, deed)
    for kind in ("balancers", "routes"):
        act(cluster, ("cloud", {"op": "quota", "kind": kind, "limit": 9}))
    for name in CONTROLLERS:
        act(cluster, ("component-start", {"component": name}))
    cluster.run_for(1_200)  # The longest back-off is 1,000 s.

    machines = cluster.world.cells["machines"]
    inventory = cluster.world.cloud.inventory
    assert {meta.name(node) for node in cluster.objects("Node")} == set(machines)
    for node in cluster.objects("Node"):
        name = meta.name(node)
        keys = {taint["key"] for taint in nodes.taints(node)}
        assert node["spec"]["providerID"] == inventory.find("machine", name)["providerID"]
        assert nodes.UNINITIALIZED not in keys
        assert (nodes.SHUTDOWN in keys) == (not machines[name]["power"])
        assert conditions.get(node, "NetworkUnavailable")["status"] == "False"
    assert {route["node"] for route in inventory.all("route")} == set(machines)
    wanted = {meta.key(s) for s in cluster.objects("Service") if s["spec"]["type"] == "LoadBalancer"}
    assert {balancer["service"] for balancer in inventory.all("balancer")} == wanted
    for balancer in inventory.all("balancer"):
        service = cluster.get("Service", balancer["service"].partition("/")[2])
        assert service["status"]["loadBalancer"]["ingress"] == [{"ip": balancer["ip"], "ipMode": "VIP"}]
        assert set(balancer["backends"]) == set(machines)
