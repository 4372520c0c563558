"""A Service's address leads to one of its pods, as this node's rules say."""

import orjson
import pytest

from cluster.kubeproxy import rules
from cluster.network import rules_of
from cluster.objects import meta
from cluster.world import replay
from tests.builders import a_deployment, a_pod
from tests.cluster.network.conftest import SYSTEM, TOOLS, Lab, a_lab, a_service

PROXY = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "kube-proxy", "namespace": SYSTEM}}
NOWHERE = {"template": {"spec": {"nodeSelector": {"no": "where"}}}}


def test_a_service_answers_by_its_name(lab: Lab):
    code, page = lab.run("curl", "-s", "http://web")

    assert code == 0
    assert "Welcome to nginx!" in page
    assert lab.run("wget", "-qO-", "web.default.svc.cluster.local:80")[1] == page


def test_requests_are_spread_over_the_pods(lab: Lab):
    lab.shell("for i in 1 2 3 4 5 6 7 8 9 10; do curl -s -o /dev/null web; done")

    logs = {meta.name(pod): len(_log(lab, pod)) for pod in lab.pods("web")}
    assert sum(logs.values()) == 10
    assert len([count for count in logs.values() if count]) == 2
    assert all(lab.pod("tmp")["status"]["podIP"] in line for pod in lab.pods("web") for line in _log(lab, pod))


def _log(lab: Lab, pod) -> list[str]:
    record = lab.cluster.world.cells["containers"][f"{meta.uid(pod)}/app/0"]
    return [line for _, line in record.get("traffic", ())]


def test_session_affinity_sends_a_client_always_to_the_same_pod(lab: Lab):
    lab.patch(a_service(), {"sessionAffinity": "ClientIP"})

    lab.shell("for i in 1 2 3 4 5 6 7 8 9 10; do curl -s -o /dev/null web; done")

    assert sorted(len(_log(lab, pod)) for pod in lab.pods("web")) == [0, 10]


def test_a_service_without_endpoints_refuses_at_once(lab: Lab):
    lab.patch(a_deployment("web", 2), {"replicas": 0})
    lab.cluster.run_for(10)

    code, said = lab.run("curl", "-s", "-S", "web")

    assert (code, said) == (7, "curl: (7) Failed to connect to web port 80 after 0 ms: Could not connect to server\n")


def test_a_port_that_the_service_has_not_answers_nobody(lab: Lab):
    code, said = lab.run("curl", "-sS", "-m", "3", "web:81", seconds=4)

    assert (code, said) == (28, "curl: (28) Connection timed out after 3000 milliseconds\n")


def test_a_node_port_is_open_on_every_node(lab: Lab):
    lab.patch(a_service(), {"type": "NodePort"})
    port = lab.cluster.get("Service", "web")["spec"]["ports"][0]["nodePort"]

    for address in ("10.0.0.2", "10.0.0.3"):
        assert "Welcome" in lab.run("curl", "-s", f"{address}:{port}")[1]
    assert lab.run("curl", "-s", "10.0.0.3:30999")[0] == 7


def test_a_node_port_with_a_local_policy_drops_what_no_pod_of_the_node_can_take(lab: Lab):
    here = next(pod for pod in lab.pods("web") if pod["spec"]["nodeName"] == "worker-2")
    only = {"selector": {"app": "web", "pod-template-hash": here["metadata"]["labels"]["pod-template-hash"]}}
    lab.cluster.create(a_pod("solo", "nginx:1.27", nodeName="worker-2") | {"metadata": _labelled("solo")})
    lab.cluster.create(a_service("solo", type="NodePort", externalTrafficPolicy="Local"))
    lab.cluster.run_for(10)
    port = lab.cluster.get("Service", "solo")["spec"]["ports"][0]["nodePort"]

    assert only
    assert "Welcome" in lab.run("curl", "-s", f"10.0.0.3:{port}")[1]
    assert lab.run("curl", "-s", "-m", "2", f"10.0.0.2:{port}", seconds=3)[0] == 28


def _labelled(name: str):
    return {"name": name, "labels": {"app": name}}


def test_a_stopped_proxy_keeps_its_rules_until_it_comes_back(lab: Lab):
    lab.patch(PROXY, NOWHERE)
    lab.cluster.run_for(40)
    before = lab.address("web")
    lab.patch(a_deployment("web", 2), {"replicas": 0})
    lab.cluster.create(a_deployment("shop", 1))
    lab.cluster.create(a_service("shop"))
    lab.cluster.run_for(10)

    stale = rules_of(lab.cluster.world.network.site, "worker-1")
    assert stale is not None
    assert [len(rule.endpoints) for rule in stale.values() if rule.address == before] == [2]
    assert lab.run("curl", "-s", "-m", "4", "web", seconds=5)[0] == 7  # Its pods are gone, and nobody told the rules.
    assert lab.run("curl", "-s", "-m", "2", "shop", seconds=3)[0] == 28  # No rule for a new Service.

    lab.patch(PROXY, {"template": {"spec": {"nodeSelector": {"no": None}}}})
    lab.cluster.run_for(10)

    assert "Welcome" in lab.run("curl", "-s", "shop")[1]


def test_without_a_proxy_there_are_no_rules():
    lab = a_lab()
    lab.cluster.power_off("worker-1")
    lab.patch(PROXY, NOWHERE)
    lab.cluster.power_on("worker-1")
    lab.cluster.run_for(60)

    assert rules_of(lab.cluster.world.network.site, "worker-1") is None


@pytest.mark.parametrize(
    ("tool", "shown"),
    [
        (["iptables-save", "-t", "nat"], "-m tcp --dport 80 -j KUBE-SVC-"),
        (["ipvsadm", "-Ln"], "TCP  {address}:80 rr"),
        (["nft", "list", "ruleset"], "{address} . tcp . 80 : goto service-"),
    ],
)
def test_a_proxy_s_container_shows_the_rules(lab: Lab, tool: list[str], shown: str):
    name = next(
        meta.name(pod)
        for pod in lab.cluster.world.informers.list("Pod", SYSTEM)
        if pod["spec"]["nodeName"] == "worker-1" and meta.name(pod).startswith("kube-proxy")
    )

    code, text = lab.run(*tool, pod=name, namespace=SYSTEM)

    assert code == 0
    assert shown.format(address=lab.address("web")) in text
    for pod in lab.pods("web"):
        assert f"{pod['status']['podIP']}" in text


def test_a_job_that_fetches_a_page_succeeds(lab: Lab):
    pod = a_pod("fetch", "busybox:1.36", command=["wget", "-qO-", "http://web"], restartPolicy="Never")
    lab.cluster.create(pod)

    lab.cluster.run_until(lambda c: c.get("Pod", "fetch")["status"]["phase"] == "Succeeded")


def test_a_broken_route_cuts_off_the_pods_of_one_node_from_those_of_the_other(lab: Lab):
    far = next(pod for pod in lab.pods("web") if pod["spec"]["nodeName"] == "worker-2")["status"]["podIP"]
    lab.cluster.act("route", **{"from": "worker-1", "to": "worker-2", "op": "break"})

    assert lab.run("curl", "-s", "-m", "2", far, seconds=3)[0] == 28
    near = next(pod for pod in lab.pods("web") if pod["spec"]["nodeName"] == "worker-1")["status"]["podIP"]
    assert lab.run("curl", "-s", "-o", "/dev/null", near)[0] == 0

    lab.cluster.act("route", **{"from": "worker-1", "to": "worker-2", "op": "mend"})
    assert lab.run("curl", "-s", "-o", "/dev/null", far)[0] == 0


def test_a_dead_node_s_pod_does_not_answer_a_gone_pod_s_address_is_unreachable(lab: Lab):
    far = next(pod for pod in lab.pods("web") if pod["spec"]["nodeName"] == "worker-2")["status"]["podIP"]
    lab.cluster.power_off("worker-2")
    assert lab.run("ping", "-c", "2", far, seconds=4)[0] == 1

    code, said = lab.run("wget", "-qO-", "10.244.0.250", seconds=5)
    assert (code, "Host is unreachable" in said) == (1, True)


def test_redis_is_reached_through_its_service(lab: Lab):
    lab.cluster.create(a_deployment("cache", 1, image="redis:8"))
    lab.cluster.create(a_service("cache", ports=[{"port": 6379}]))
    lab.cluster.run_for(15)

    assert lab.shell("printf 'PING\\r\\n' | nc cache 6379")[1] == "+PONG\r\n"


def test_a_life_with_traffic_is_lived_again_byte_for_byte(lab: Lab):
    lab.shell("for i in 1 2 3 4 5; do curl -s -o /dev/null web; done; nslookup web; ping -c 2 web", seconds=5)
    lab.patch(PROXY, NOWHERE)
    lab.cluster.run_for(40)
    lab.cluster.create(a_pod("other", TOOLS, command=["sh", "-c", "while sleep 2; do curl -s web; done"]))
    lab.cluster.run_for(30)

    again = replay(orjson.loads(orjson.dumps(lab.cluster.world.export())), slice_steps=9)

    assert again.dump() == lab.cluster.world.dump()
    assert lab.cluster.world.fork().dump() == lab.cluster.world.dump()


def test_rules_stay_fresh_while_any_of_two_proxies_of_a_node_runs(lab: Lab):
    """As in an update that starts the next pod before the last one ends."""
    image = lab.cluster.get("DaemonSet", "kube-proxy", SYSTEM)["spec"]["template"]["spec"]["containers"][0]["image"]
    lab.cluster.create(a_pod("second", image, nodeName="worker-1", hostNetwork=True))
    lab.cluster.run_for(10)
    assert lab.pod("second")["status"]["phase"] == "Running"

    lab.cluster.delete(lab.pod("second"))
    lab.cluster.run_for(40)

    assert "frozen" not in lab.cluster.world.cells["machines"]["worker-1"]["proxy"]


def test_who_asks_once_for_each_endpoint_has_them_chosen_once():
    ports = [{"port": 8080}]
    endpoints = [{"addresses": [f"10.244.1.{n}"], "nodeName": "worker-1"} for n in (2, 3)]
    metadata = {"name": "web-x", "namespace": "default", "labels": {"kubernetes.io/service-name": "web"}}
    service = {"kind": "Service", "metadata": {"name": "web", "namespace": "default"}}
    service["spec"] = {"clusterIP": "10.96.0.7", "ports": [{"port": 80}]}
    table = rules.compiled([service], [{"metadata": metadata, "ports": ports, "endpoints": endpoints}])
    (rule,) = table.values()

    assert rules.candidates_of(rule, "worker-1") is rules.candidates_of(rule, "worker-2")
    assert len(rules.candidates_of(rule, "worker-1")) == 2
    stale = rules.frozen(table)
    assert rules.thawed(stale) is rules.thawed(stale)
    assert rules.thawed(stale) == table
