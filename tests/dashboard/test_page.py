"""The page and its panels, fetched as a browser does; the cluster behind them is real and committed."""

import re
from html import unescape

import pytest
from django.test import Client

from cluster.objects import meta
from dashboard import advice, panels
from tests.builders import Refused, a_deployment
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster():
    return a_saved_cluster(nodes=2).with_objects(a_deployment("web", replicas=2)).settle()


def test_the_page_opens_the_cluster_of_last_time(client: Client, cluster):
    a_saved_cluster("other", nodes=1)
    client.get("/view/other/")

    assert client.get("/").headers["Location"] == "/view/other/"


def test_the_page_allows_no_script_but_its_own(client: Client, cluster):
    policy = client.get("/view/default/").headers["Content-Security-Policy"]

    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_without_any_cluster_the_page_says_that_one_is_being_made(client: Client):
    assert "first cluster is being made" in client.get("/").content.decode()


@pytest.mark.parametrize("language", ["en", "pt-br"])
@pytest.mark.parametrize("name", sorted(panels.REGISTRY))
def test_every_panel_can_be_shown(client: Client, cluster, name, language):
    answer = client.get(f"/view/default/panel/{name}", headers={"accept-language": language})

    assert answer.status_code == 200


@pytest.mark.parametrize("tab", ["why", "yaml", "events", "logs", "metrics", "network"])
def test_every_tab_of_a_pod_can_be_shown(client: Client, cluster, tab):
    pod = cluster.pods_of("web")[0]

    answer = client.get(f"/view/default/panel/inspector?kind=Pod&key={meta.key(pod)}&tab={tab}")

    assert meta.name(pod) in answer.content.decode()


def test_why_tells_the_verdict_node_by_node_and_the_chain(client: Client, cluster):
    pod = cluster.pods_of("web")[0]

    page = client.get(f"/view/default/panel/inspector?kind=Pod&key={meta.key(pod)}").content.decode()

    assert pod["spec"]["nodeName"] in page
    assert f"{meta.name(pod)} was bound to {pod['spec']['nodeName']}." in page
    assert f"{meta.name(pod)} was created for ReplicaSet" in page


def test_of_a_pod_that_runs_one_can_ask_why_not_on_another_node(client: Client, cluster):
    pod = cluster.pods_of("web")[0]
    names = [meta.name(node) for node in cluster.objects("Node")]
    other = next(name for name in names if name != pod["spec"]["nodeName"])
    cluster.patch(cluster.get("Node", other, ""), {"spec": {"unschedulable": True}})
    cluster.run_for(2)
    asked = f"/view/default/panel/inspector?kind=Pod&key={meta.key(pod)}"

    assert f"<option>{other}</option>" in client.get(asked).content.decode()
    page = client.get(f"{asked}&node={other}").content.decode()
    assert "node(s) were unschedulable" in page
    assert f"kubectl uncordon {other}" in page
    assert "Why not on" in client.get(f"{asked}&node=nowhere").content.decode()


def test_why_reads_a_long_life_at_once(client: Client, cluster, django_assert_max_num_queries):
    for replicas in (3, 1, 3, 1, 3, 1, 3, 1):
        cluster.scale(a_deployment("web"), replicas)
        cluster.run_for(5)

    with django_assert_max_num_queries(40):
        page = client.get("/view/default/panel/inspector?kind=Deployment&key=default/web").content.decode()

    assert "exists since revision" in page


def test_a_pod_that_fits_nowhere_is_told_why_not_for_each_node(client: Client, cluster):
    big = {"requests": {"cpu": "64"}}
    container = {"name": "main", "image": "nginx:1.27", "resources": big}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "too-big"},
        "spec": {"containers": [container]},
    }
    cluster.with_objects(pod).settle()

    page = client.get("/view/default/panel/inspector?kind=Pod&key=default/too-big").content.decode()

    assert "Insufficient cpu" in page
    assert "worker-1" in page
    assert "What would make it fit" in page
    assert "python manage.py node add another-node" in page


def test_the_etcd_panel_shows_every_revision_of_a_key(client: Client, cluster):
    pod = cluster.pods_of("web")[0]
    key = f"/registry/pods/{meta.key(pod)}"

    page = client.get("/view/default/panel/etcd", {"open": key}).content.decode()

    assert page.count("data-query") > 3
    assert "kube-scheduler" in page
    assert "replicaset-controller" in page


def test_the_members_of_etcd_have_their_roles_in_portuguese(client: Client, cluster):
    page = client.get("/view/default/panel/etcd", headers={"accept-language": "pt-br"}).content.decode()

    assert "<span>líder</span>" in page
    assert "<span>seguidor</span>" in page


def test_events_of_one_second_stand_in_the_order_in_which_they_happened(client: Client, cluster):
    key = meta.key(cluster.pods_of("web")[0])

    page = client.get(f"/view/default/panel/inspector?kind=Pod&key={key}&tab=events").content.decode()

    told = re.findall(r"<time>([^<]+)</time><b[^>]*>(\w+)<", page)
    assert [reason for _, reason in told] == ["Started", "Created", "Pulled", "Pulling", "Scheduled"]
    assert [at for at, _ in told] == sorted((at for at, _ in told), reverse=True)


@pytest.mark.parametrize("path", ["panel/nothing", "chart/nothing"])
def test_what_does_not_exist_is_not_found(client: Client, cluster, path):
    assert client.get(f"/view/default/{path}").status_code == 404
    assert client.get("/view/nowhere/panel/etcd").status_code == 404


def test_charts_are_numbers_over_simulated_time(client: Client, cluster):
    cluster.run_for(60)

    data = client.get("/view/default/chart/memory").json()

    assert [one["label"] for one in data["series"]] == ["worker-1", "worker-2"]
    assert len(data["times"]) == len(data["series"][0]["values"])
    assert data["times"] == sorted(data["times"])


def test_a_machine_s_curve_is_nothing_while_it_has_no_power(client: Client, cluster):
    cluster.run_for(60)
    off = cluster.world.now / 1e6
    cluster.power_off("worker-2")
    cluster.run_for(60)
    on = cluster.world.now / 1e6
    cluster.power_on("worker-2")
    cluster.run_for(60)

    data = client.get("/view/default/chart/memory", {"kind": "Node", "key": "worker-2"}).json()

    values = data["series"][0]["values"]
    assert [at for at, value in zip(data["times"], values, strict=True) if not value] == [
        at for at in data["times"] if off <= at < on
    ]


def test_a_click_needs_the_token_of_this_page(cluster):
    strict = Client(enforce_csrf_checks=True)

    assert strict.post("/view/default/act/power-off", {"node": "worker-1"}).status_code == 403


@pytest.mark.parametrize(
    ("name", "form", "said"),
    [
        ("apply", {"yaml": "a: 1\nb: [1\nc: 2"}, "line 3, column 2"),
        ("apply", {"yaml": ""}, "must be 1 to 100 documents"),
        ("apply", {"yaml": "just a text"}, "it needs apiVersion, kind and metadata"),
        (
            "apply",
            {"yaml": "{kind: Frog, apiVersion: v1, metadata: {name: a}}"},
            'no matches for kind "Frog"',
        ),
        ("scale", {"key": "default/web", "replicas": "many", "form": "1"}, "whole number"),
        ("node-add", {"name": "x", "pods": "-1"}, "whole number"),
        ("cluster-create", {"name": "", "nodes": "3", "seed": "1"}, "needs a name"),
        ("cluster-create", {"name": "a", "nodes": "x", "seed": "1"}, "whole numbers"),
    ],
)
def test_bad_input_is_told_beside_the_form(client: Client, cluster, name, form, said):
    answer = client.post(f"/view/default/act/{name}", form)

    assert answer.status_code == 422
    assert said in unescape(answer.content.decode())


def test_the_requests_panel_shows_what_each_stage_did_with_a_request(client: Client, cluster):
    page = client.get("/view/default/panel/requests").content.decode()

    assert "POST namespaces/default/deployments" in page
    assert "NamespaceLifecycle" in page
    assert "system:masters" in page


def test_the_requests_panel_says_who_refused_a_request_and_why(client: Client, cluster):
    with pytest.raises(Refused):
        cluster.request("DELETE", "/api/v1/namespaces/default")
    cluster.run_for(1)

    page = client.get("/view/default/panel/requests").content.decode()

    assert "this namespace may not be deleted" in page
    assert 'class="no"' in page


def test_in_a_very_large_cluster_the_page_says_that_nobody_looks_for_changes(client: Client, cluster, monkeypatch):
    monkeypatch.setattr(advice, "MOST_NODES", 1)
    pod = cluster.pods_of("web")[0]
    page = client.get(f"/view/default/panel/inspector?kind=Pod&key={meta.key(pod)}").content.decode()
    assert "With 2 nodes no change is looked for" in page
    assert "data-elsewhere" not in page
