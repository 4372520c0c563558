"""Dashboards, alerts and the explorer, of a real cluster whose Prometheus has scraped it."""

import re
from html import unescape

import numpy as np
import pytest
from django.test import Client

from cluster.engine.clock import monotonic
from cluster.gathering import Gathering
from cluster.models import Cluster
from cluster.monitoring import promql
from cluster.objects import meta
from cluster.world import World
from dashboard import graphs
from dashboard.boards import BOARDS, variables
from tests.builders import EPOCH, a_deployment
from tests.cluster.gateway.conftest import CommittedCluster
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)

PROMETHEUS = "/apis/apps/v1/namespaces/kube-system/deployments/prometheus"
MERGE = {"content_type": "application/merge-patch+json"}


class Watched(CommittedCluster):
    """Scrapes as a driver would at 1x, but for the time on the wall."""

    gathering: Gathering

    def watch(self, seconds: float) -> "Watched":
        for _ in range(int(seconds // 15)):
            self.run_for(15)
            self.world.commit()
            for gatherer in self.gathering._gatherers:
                gatherer.gather(self.world.site, monotonic() + 10)
        return self

    def prometheus(self, replicas: int) -> None:
        self.request("PATCH", PROMETHEUS, {"spec": {"replicas": replicas}}, **MERGE)

    def node_without(self, app: str) -> str:
        """A node on which no pod of an add-on runs."""
        taken = {p["spec"]["nodeName"] for p in self.objects("Pod", "kube-system") if meta.name(p).startswith(app)}
        return next(meta.name(node) for node in self.objects("Node") if meta.name(node) not in taken)


@pytest.fixture
def watched() -> Watched:
    """Two nodes, a Deployment `web`, and a Prometheus that has been there for four minutes."""
    options = {"nodes": 2, "addons": ["kube-proxy", "prometheus"]}
    row = Cluster.objects.create(name="default", seed=7, epoch=EPOCH, engine="test", options=options)
    cluster = Watched(World.create(7, EPOCH, options, row.pk, 0))
    cluster.gathering = Gathering(row.pk, 0)
    cluster.settle()
    cluster.create(a_deployment("web", replicas=2))
    return cluster.watch(240)


def panel(client: Client, **query: str) -> str:
    answer = client.get("/view/default/panel/monitoring", query)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def batch(client: Client, **query: str) -> dict:
    return client.get("/view/default/graphs", query).json()


def drawn(client: Client, title: str, **query: str) -> dict[str, list]:
    """The curves of one graph, by name."""
    board = BOARDS[query["d"]]
    number = next(i for i, graph in enumerate(board.graphs) if str(graph.title) == title)
    return {one["name"]: one["values"] for one in batch(client, **query)["graphs"][number]["series"]}


def test_a_cluster_without_prometheus_is_offered_one(client: Client):
    a_saved_cluster(nodes=1)

    page = panel(client)

    assert "This cluster has no Prometheus" in page
    assert 'data-act="addon-install"' in page
    assert "manage.py addon prometheus | kubectl apply -f -" in page


@pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
def test_every_query_of_a_dashboard_can_be_evaluated(client: Client, watched, board):
    answer = batch(client, d=board.name)

    assert [graph["error"] for graph in answer["graphs"]] == [""] * len(board.graphs)
    assert len(answer["stats"]) == len(board.stats)
    for stat in board.stats:
        promql.parse(variables.filled(stat.query, {"__rate_interval": "60s"}))


def test_curves_are_what_the_cluster_has(client: Client, watched):
    answer = batch(client, d="cluster")

    assert answer["stats"][1]["value"] == len(watched.objects("Pod"))
    assert answer["times"] == sorted(answer["times"])
    assert answer["times"][-1] <= watched.world.clock.now / 1e6 < answer["times"][-1] + 15
    cpu = drawn(client, "CPU by node", d="cluster")
    assert set(cpu) == {"worker-1", "worker-2"}
    assert all(0 < curve[-1] < 4000 for curve in cpu.values())
    assert drawn(client, "Pods by phase", d="cluster")["Running"][-1] == len(watched.objects("Pod"))


@pytest.mark.parametrize("span", graphs.SPANS)
def test_no_curve_has_more_points_than_can_be_seen(client: Client, watched, span):
    answer = batch(client, d="cluster", span=span)

    assert len(answer["times"]) <= graphs.POINTS + 1


def test_a_machine_s_curve_ends_with_its_power(client: Client, watched):
    away = watched.node_without("prometheus")
    watched.power_off(away)
    watched.watch(120)

    curve = drawn(client, "Memory by node", d="cluster")[away]

    assert curve[-1] is None
    assert any(value is not None for value in curve)


def test_a_workload_s_dashboard_shows_its_pods_and_no_others(client: Client, watched):
    watched.create(a_deployment("web-api"))
    watched.watch(60)

    curves = drawn(client, "Memory by pod", d="workload", namespace="default", workload="Deployment/web")

    assert set(curves) == {meta.name(pod) for pod in watched.pods_of("web")}


@pytest.mark.parametrize(
    ("workload", "pod", "belongs"),
    [
        ("Deployment/web", "web-55gcfcb6f-jrw25", True),
        ("Deployment/web", "web-api-55gcfcb6f-jrw25", False),
        ("StatefulSet/db", "db-0", True),
        ("StatefulSet/db", "db-0-x", False),
        ("DaemonSet/kube-proxy", "kube-proxy-8v2c2", True),
        ("DaemonSet/a.b", "axb-8v2c2", False),
    ],
)
def test_pods_are_told_apart_by_the_names_that_controllers_give(workload, pod, belongs):
    of = variables.values([variables.Variable("workload", workload, [], 0)])

    assert (re.fullmatch(of["pods"], pod) is not None) == belongs


def test_a_pod_that_is_gone_can_still_be_looked_at(client: Client, watched):
    pod = watched.pods_of("web")[0]
    watched.delete(pod)
    watched.watch(60)
    query = {"d": "pod", "namespace": "default", "pod": meta.name(pod)}

    assert f"{meta.name(pod)} (gone)" in panel(client, **query)
    (curve,) = drawn(client, "Memory by container", **query).values()
    assert any(curve)
    assert curve[-1] is None


def test_a_variable_that_nobody_has_heard_of_becomes_one_that_is_there(client: Client, watched):
    page = panel(client, d="node", node="nowhere")

    assert "<option selected>worker-1</option>" in page
    assert "nowhere" not in page


def test_without_a_ready_pod_the_page_says_how_to_bring_it_back(client: Client, watched):
    watched.prometheus(0)
    watched.watch(30)

    page = panel(client)

    assert "No Prometheus answers" in page
    assert "Its Deployment wants 0 pods." in page
    assert "--replicas=1" in page
    assert "data-graphs" not in page


def test_a_prometheus_whose_machine_has_no_power_does_not_answer(client: Client, watched):
    home = next(p["spec"]["nodeName"] for p in watched.objects("Pod", "kube-system") if "prometheus" in meta.name(p))
    watched.power_off(home)
    watched.world.commit()

    page = panel(client)

    assert "No Prometheus answers" in page
    assert f'data-act="power-on" data-node="{home}"' in page


def test_while_prometheus_was_dead_there_is_a_gap(client: Client, watched):
    dead = watched.world.clock.now / 1e6
    watched.prometheus(0)
    watched.watch(120)
    back = watched.world.clock.now / 1e6
    watched.prometheus(1)
    watched.watch(120)

    answer = batch(client, d="cluster")

    ((low, high),) = answer["gaps"]
    assert dead - 15 <= low <= dead + 15
    assert back <= high <= back + 60
    (memory,) = [one for one in answer["graphs"][1]["series"] if one["name"] == "worker-1"]
    seen = dict(zip(answer["times"], memory["values"], strict=True))
    assert {seen[at] for at in answer["times"] if low + 15 < at < high} == {None}
    assert seen[answer["times"][-1]] is not None


def test_an_alert_is_pending_then_firing_and_marked_in_the_graphs(client: Client, watched):
    def told() -> str:
        return panel(client, view="alerts")

    assert "No rule has found anything" in told()
    away = watched.node_without("prometheus")
    watched.power_off(away)
    watched.watch(30)
    assert 'class="alert pending"' in told()
    assert "fires in" in told()
    assert client.get("/view/default/panel/firing").content.strip() == b""

    watched.watch(120)

    page = told()
    assert 'class="alert firing"' in page
    assert "can't be scraped" in page
    assert f'data-object="Node//{away}"' in page
    assert "up == 0" in page
    assert b'class="badge"' in client.get("/view/default/panel/firing").content
    assert "TargetDown" in {alert["name"] for alert in batch(client, d="cluster")["alerts"]}


def test_a_configuration_that_can_t_be_read_is_told_where_alerts_would_be(client: Client, watched):
    broken = {"data": {"prometheus.yml": "global: {scrape_interval: soon}"}}
    watched.request("PATCH", "/api/v1/namespaces/kube-system/configmaps/prometheus", broken, **MERGE)

    assert 'not a valid duration string: "soon"' in panel(client, view="alerts")


def test_the_explorer_shows_a_query_s_value_and_its_curve(client: Client, watched):
    query = {"view": "explore", "q": "count by (namespace) (kube_pod_info)"}

    page, answer = panel(client, **query), batch(client, **query)

    assert '{namespace="default"}</td><td class="v mono">2</td>' in page
    curves = {one["name"]: one["values"] for one in answer["graphs"][0]["series"]}
    assert set(curves) == {'{namespace="default"}', '{namespace="kube-system"}'}
    assert curves['{namespace="default"}'][-1] == 2
    assert '<option value="kube_pod_info">' in page


def test_the_explorer_refuses_in_prometheus_words(client: Client, watched):
    page = panel(client, view="explore", q="rate(up)")

    assert "expected type matrix in call to function 'rate', got vector" in page
    assert "data-graphs" not in page


def test_too_many_curves_are_counted_instead_of_drawn(client: Client, watched):
    (graph,) = batch(client, view="explore", q='{__name__=~"kube_.+"}')["graphs"]

    assert len(graph["series"]) == graphs.MOST_SERIES
    assert graph["more"] > 20


def test_a_value_with_quotes_stays_inside_its_matcher():
    assert variables.filled('up{node="$node"}', {"node": 'a"} or vector(1) #'}) == 'up{node="a\\"} or vector(1) #"}'


def test_pods_nodes_and_workloads_lead_to_their_dashboards(client: Client, watched):
    pod = watched.pods_of("web")[0]
    asked = {
        f"kind=Pod&key={meta.key(pod)}": f"?d=pod&namespace=default&pod={meta.name(pod)}",
        "kind=Node&key=worker-1": "?d=node&node=worker-1",
        "kind=Deployment&key=default/web": "?d=workload&namespace=default&workload=Deployment%2Fweb",
        "kind=Component&key=kube-scheduler": "?d=scheduler",
    }
    for query, link in asked.items():
        page = unescape(client.get(f"/view/default/panel/inspector?{query}").content.decode())
        assert f'data-query="{link}"' in page


def test_scrapes_that_a_fast_clock_left_out_are_no_gap():
    def gaps_of(*seconds: int, left_out: tuple[int, ...], now: int = 0) -> list[tuple[int, int]]:
        times = np.array(seconds, np.int64) * 1000
        end = (now or seconds[-1]) * 1000
        at = graphs.Look(None, 0, 0, end, 15_000, end, times, np.array(left_out, np.int64), 15_000)  # type: ignore[arg-type]
        return [(low // 1000, high // 1000) for low, high in graphs.gaps(at)]

    assert gaps_of(15, 30, 45, 105, 225, left_out=(0, 0, 3, 7)) == []
    assert gaps_of(15, 30, 45, 225, 240, left_out=(0, 0, 0, 0)) == [(45, 225)]
    assert gaps_of(15, 30, 45, 225, 240, left_out=(0, 0, 2, 0)) == [(45, 225)]
    assert gaps_of(15, 30, 45, left_out=(0, 0), now=300) == []
    assert gaps_of(15, 30, 45, left_out=(0, 0), now=400) == [(45, 400)]
