"""The network as the page and the command line show it: every hop of a connection, and a node's rules."""

from html import unescape
from io import StringIO

import orjson
import pytest
from django.core.management import call_command
from django.test import Client

from cluster import network
from cluster.objects import meta
from dashboard.panels import tab_network
from tests.builders import a_deployment
from tests.cluster.network.conftest import a_service
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster():
    saved = a_saved_cluster(nodes=2, addons=["kube-proxy", "coredns"])
    return saved.with_objects(a_deployment("web", replicas=2), a_service()).run_for(30)


def tab(client: Client, kind: str, key: str, **wishes: str) -> str:
    query = {"kind": kind, "key": key, "tab": "network", **wishes}
    return unescape(client.get("/view/default/panel/inspector", query).content.decode())


def one(cluster) -> str:
    return meta.key(cluster.pods_of("web")[0])


def test_a_connection_is_shown_hop_by_hop(client: Client, cluster):
    page = tab(client, "Pod", one(cluster), to="default/web:80/TCP")

    assert "It gets through." in page
    assert "web.default.svc.cluster.local. is " in page
    assert "default/web:http: " in page
    assert "listens on port 80." in page
    assert "wget -qO- -T 2 web.default:80" in page


def test_the_hop_that_is_broken_is_named(client: Client, cluster):
    for there, back in (("worker-1", "worker-2"), ("worker-2", "worker-1")):
        cluster.act("route", **{"from": there, "to": back, "op": "break"})
    cluster.scale(a_deployment("web", 2), 0)
    cluster.create(a_deployment("shop", 1))
    cluster.run_for(20)

    page = tab(client, "Pod", meta.key(cluster.pods_of("shop")[0]), to="default/web:80/TCP")

    assert "It gets through." not in page
    assert 'class="bad"' in page


def test_a_node_shows_its_rules_in_three_views_and_its_routes(client: Client, cluster):
    cluster.act("route", **{"from": "worker-1", "to": "worker-2", "op": "break"})
    cluster.run_for(1)

    assert "-A KUBE-SERVICES" in tab(client, "Node", "worker-1")
    assert "IP Virtual Server" in tab(client, "Node", "worker-1", tool="ipvs")
    assert "table ip kube-proxy" in tab(client, "Node", "worker-1", tool="nftables")
    assert 'data-op="mend"' in tab(client, "Node", "worker-1")


def test_the_page_has_words_for_everything_that_can_happen_to_a_packet():
    assert set(tab_network.HOPS) == set(network.WORDS)


def test_the_command_line_follows_a_packet_and_shows_rules(cluster):
    out = StringIO()
    call_command("network", "trace", one(cluster).partition("/")[2], "web:80", "--json", stdout=out)
    traced = orjson.loads(out.getvalue())
    assert traced["fate"] == "connected"
    assert [hop["sort"] for hop in traced["hops"]][:2] == ["dns", "rules"]

    out = StringIO()
    call_command("network", "rules", "worker-1", stdout=out)
    assert "KUBE-SERVICES" in out.getvalue()


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"from": "worker-1", "to": "worker-9", "op": "break"}, 'nodes "worker-9" not found'),
        ({"from": "worker-1", "to": "worker-1", "op": "break"}, "worker-1 needs no route to itself"),
        ({"from": "worker-1", "to": "worker-2", "op": "cut"}, "a route can't be told 'cut'; known: break, mend"),
    ],
)
def test_a_route_that_there_is_not_is_refused(cluster, request_, problem):
    with pytest.raises(AssertionError, match=problem):
        cluster.act("route", **request_)
