"""The traffic panel: what it shows of committed rows, and what its clicks ask for."""

from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from dashboard import loads
from dashboard.mirror import Mirror
from tests.builders import a_deployment, a_service
from tests.cluster.flows.conftest import ADDONS, Lab
from tests.cluster.kubelet.test_static_pods import WEB, put
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def lab() -> Lab:
    cluster = a_saved_cluster(nodes=2, addons=ADDONS)
    return Lab(cluster.with_objects(a_deployment("web", replicas=2), a_service("web")).run_for(30))


def panel(client: Client, name: str = "traffic", **query: str) -> str:
    return unescape(client.get(reverse("panel", args=["default", name]), query).content.decode())


def test_without_the_kind_the_panel_offers_to_install_it(client: Client):
    a_saved_cluster(nodes=1)

    assert 'data-act="traffic-install"' in panel(client)
    assert 'data-act="traffic-send"' not in panel(client)


def test_a_service_of_an_application_can_be_sent_requests_with_a_click(client: Client, lab: Lab):
    page = panel(client)

    assert 'data-act="traffic-send" data-key="default/web" data-port="80"' in page
    assert "default/kubernetes" not in page
    assert "kube-dns" not in page
    assert 'data-act="traffic-send"' in panel(client, "inspector", kind="Service", key="default/web")


def test_a_generator_shows_its_slider_and_what_comes_of_its_requests(client: Client, lab: Lab):
    lab.send(50)
    page = panel(client)

    assert f'value="{loads.STEPS.index(50)}" data-slide="traffic-rate" data-key="default/load"' in page
    assert '<dd data-figure="answered">50<small>/s</small></dd>' in page
    assert '<dd data-figure="p50">500µs</dd>' in page
    assert page.count('data-tab="metrics">default/web-') == 2
    assert "1 of 1 pod <" in page


def test_failures_are_named_in_a_client_s_words(client: Client, lab: Lab):
    lab.send(50)
    lab.cluster.scale(a_deployment("web", 2), 0)
    lab.run_for(10)
    page = panel(client)

    assert 'Get "http://web": dial tcp web:80: connect: connection refused' in page
    assert '<dd data-figure="errors">50<small>/s</small></dd>' in page


def test_the_page_speaks_portuguese(client: Client, lab: Lab):
    lab.send(20_000, connections=1)
    client.cookies["django_language"] = "pt-br"
    page = panel(client)

    assert "Tráfego" in page
    assert "1 gerador de carga" in page
    assert "não acompanha" in page


def test_the_map_is_told_how_busy_pods_are_and_when_nobody_asks_any_more(lab: Lab):
    lab.send(5000, connections=100)
    mirror = Mirror("default")
    mirror.look()
    keys = [f"default/{pod['metadata']['name']}" for pod in lab.cluster.pods_of("web")]
    assert mirror.snapshot()["requests"] == {key: [2500.0, 25.0] for key in keys}

    lab.change(requestsPerSecond=0)
    later = Mirror("default")
    later.look()
    assert later.snapshot()["requests"] == {}


def test_charts_tell_requests_and_latency_of_a_generator_and_requests_of_a_pod(client: Client, lab: Lab):
    lab.send(50).run_for(60)

    def chart(name: str, **query: str) -> dict[str, object]:
        return dict(client.get(reverse("chart", args=["default", name]), query).json())

    answered, failed = chart("requests", key="default/load")["series"]  # type: ignore[misc]
    assert answered["values"][-1] == 50  # type: ignore[index]
    assert failed["values"][-1] == 0  # type: ignore[index]
    p50, _ = chart("latency", key="default/load")["series"]  # type: ignore[misc]
    assert p50["values"][-1] == 0.5  # type: ignore[index]
    pod = lab.cluster.pods_of("web")[0]["metadata"]["name"]
    (taken,) = chart("requests", pod=f"default/{pod}")["series"]  # type: ignore[misc]
    assert taken["values"][-1] == pytest.approx(25, rel=0.01)  # type: ignore[index]


def test_a_static_pod_s_requests_have_a_curve_too(client: Client, lab: Lab):
    put(lab.cluster, WEB.replace("name: web\n", "name: fixed\n").replace("app: web", "app: fixed"), "fixed.yaml")
    lab.cluster.with_objects(a_service("fixed")).run_for(30)
    lab.send(50, "http://fixed").run_for(60)

    chart = client.get(reverse("chart", args=["default", "requests"]), {"pod": "default/fixed-worker-1"}).json()

    assert chart["series"][0]["values"][-1] == pytest.approx(50, rel=0.01)
    assert 'data-tab="metrics">default/fixed-worker-1' in panel(client)


def test_the_panel_reads_the_pods_once_however_many_generators_there_are(
    client: Client, lab: Lab, django_assert_num_queries
):
    lab.send(50).run_for(10)
    with CaptureQueriesContext(connection) as few:
        panel(client)
    for number in range(4):
        lab.send(50, name=f"more-{number}")

    with django_assert_num_queries(len(few)):
        panel(client)


def test_another_rate_than_the_slider_s_steps_stands_beside_the_nearest():
    assert loads.STEPS[loads.position(42)] == 50
    assert loads.position(10**6) == len(loads.STEPS) - 1
