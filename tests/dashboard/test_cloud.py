"""The cloud as the page and the command line show it."""

import pytest
from django.test import Client

from cluster.objects import Manifest
from dashboard.management.commanding import Refused
from dashboard.management.commands.cluster import cloud_request, cloud_words
from dashboard.said import in_words
from tests.builders import a_deployment, a_service
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)


def a_balanced_service(name: str = "web", **spec: str) -> Manifest:
    service = a_service(name)
    return {**service, "spec": {**service["spec"], "type": "LoadBalancer", **spec}}


def panel(client: Client, name: str = "cloud") -> str:
    return client.get(f"/view/default/panel/{name}").content.decode()


def test_the_panel_shows_machines_by_zone_balancers_routes_and_calls(client: Client):
    a_saved_cluster(nodes=3, cloud=True).with_objects(a_balanced_service(), a_deployment("web")).run_for(60)

    page = panel(client)

    for part in ("sol-1a", "sol-1b", "sol-1c", "worker-3", "203.0.113.1", "10.244.0.0/24", "EnsureLoadBalancer"):
        assert part in page
    assert page.count("healthy") == 3


def test_a_node_that_is_not_ready_is_unhealthy_behind_its_balancer(client: Client):
    cluster = a_saved_cluster(nodes=2, cloud=True).with_objects(a_balanced_service()).settle()
    cluster.power_off("worker-1")
    cluster.run_for(60)

    assert "the node is not Ready" in panel(client)


def test_without_the_cloud_the_panel_names_services_that_wait(client: Client):
    a_saved_cluster(nodes=1).with_objects(
        a_balanced_service("waiting"), a_balanced_service("other", loadBalancerClass="example.com/other")
    ).settle()

    page = panel(client)

    assert "default/waiting" in page
    assert "default/other" not in page


def test_a_refused_call_is_shown_with_its_reason(client: Client):
    cluster = a_saved_cluster(nodes=1, cloud=True)
    cluster.act("cloud", op="quota", kind="balancers", limit=0)
    cluster.with_objects(a_balanced_service()).run_for(10)

    assert "QuotaExceeded" in panel(client)


def test_the_inspector_of_a_service_shows_its_balancer_or_why_there_is_none(client: Client):
    cluster = a_saved_cluster(nodes=1).with_objects(a_balanced_service()).settle()
    assert "nobody makes one" in panel(client, "inspector?kind=Service&key=default/web")

    cluster.act("cloud", op="on")
    cluster.settle()

    page = panel(client, "inspector?kind=Service&key=default/web")
    assert "203.0.113.1" in page
    assert "healthy" in page


def test_each_click_is_a_line_for_the_command_line():
    said = in_words({"type": "cloud", "op": "quota", "kind": "balancers", "limit": 1}, "shop")
    assert said["v"] == "python manage.py cluster cloud shop quota balancers 1"
    said = in_words({"type": "cloud-terminate", "node": "worker-2"})
    assert said["v"] == "python manage.py cluster cloud default terminate worker-2"
    assert in_words({"type": "node-add", "name": "a", "zone": "sol-1b"})["v"].endswith("node add a --zone sol-1b")


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ("on", {"type": "cloud", "op": "on"}),
        ("slow 30", {"type": "cloud", "op": "slow", "factor": 30}),
        ("fail", {"type": "cloud", "op": "fail"}),
        ("quota balancers 1", {"type": "cloud", "op": "quota", "kind": "balancers", "limit": 1}),
        ("terminate worker-2", {"type": "cloud-terminate", "node": "worker-2"}),
    ],
)
def test_a_line_becomes_the_input_of_the_click(line: str, request_: Manifest):
    operation, *words = line.split()

    assert cloud_request(operation, words) == request_


@pytest.mark.parametrize("line", ["on now", "quota balancers", "terminate", "slow 1 2"])
def test_a_line_with_too_few_or_too_many_words_is_refused(line: str):
    operation, *words = line.split()

    with pytest.raises(Refused, match=f"cloud {operation} takes"):
        cloud_request(operation, words)


def test_an_answer_is_told_in_one_line():
    state = {"on": True, "slow": 20, "errors": 5, "down": False, "rate": 100}

    assert cloud_words({"cloud": state}) == "cloud on; API: 20 times slower, 5 % failing, 100 calls a second"
    assert cloud_words({"terminated": True, "node": "a"}) == "machine a terminated"
