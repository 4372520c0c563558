"""The log panel: what is found, where it comes from, and what it says while something of logging is missing."""

import re
from html import unescape
from urllib.parse import urlencode

import pytest
from django.test import Client

from dashboard import logsearch
from dashboard.panels import logs
from tests.builders import a_pod
from tests.cluster.logstore.conftest import CHATTY, LoggedCluster
from tests.cluster.logstore.conftest import logged as logged
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)

LOKI = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "loki", "namespace": "kube-system"}}
FLOOD = ["sh", "-c", "i=0; while true; do i=$((i+1)); echo hello $i from here; sleep 0.01; done"]


def shown(client: Client, cluster: str = "lab", **wishes: str) -> str:
    answer = client.get(f"/view/{cluster}/panel/logs?{urlencode(wishes)}")
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def texts(page: str) -> list[str]:
    """The lines, without their marks."""
    found = re.findall(r'<span class="text">(.*?)</span></li>', page)
    return [re.sub("</?mark>", "", text) for text in found]


def link(page: str, identity: str) -> str:
    """The query of a button that leads to another page; empty: it leads nowhere."""
    found = re.search(rf'id="{identity}" hx-get="/view/lab/panel/logs\?([^"]*)"', page)
    return found[1] if found else ""


@pytest.fixture
def chatty(logged: LoggedCluster) -> LoggedCluster:
    logged.create(a_pod("web", "busybox:1.36", command=CHATTY, nodeName="worker-1"))
    logged.run_for(60)
    return logged


def test_words_are_found_in_capitals_or_not_and_highlighted(client: Client, chatty):
    page = shown(client, q="HELLO from")

    assert texts(page)[:2] == ["hello 1 from here", "hello 2 from here"]
    assert "<mark>hello</mark> 1 <mark>from</mark> here" in page
    assert '{job=~".+"} |~ "(?i)HELLO" |~ "(?i)from"' in page
    assert 'data-object="Pod/default/web"' in page


def test_a_query_and_filters_narrow_what_is_found(client: Client, chatty):
    assert texts(shown(client, q='{container="app"} |= "hello 3 "')) == ["hello 3 from here"]
    assert texts(shown(client, q="hello", node="worker-2")) == []
    assert texts(shown(client, q="hello", pod="we*"))[0] == "hello 1 from here"
    assert "No line fits" in shown(client, q="nobody says so")


def test_what_is_no_query_is_explained(client: Client, chatty):
    assert "parse error at line 1, col 6: syntax error" in shown(client, q="{pod=")
    assert "at least one regexp or equality matcher" in shown(client, q='{pod=~".*"}')
    assert "names no line" in shown(client, line="x")
    assert "names no stream" in shown(client, line="1.2.3", stream="[]")
    assert "is no time" in shown(client, range="custom", **{"from": "yesterday"})


def test_a_range_of_simulated_time_bounds_what_is_found(client: Client, chatty):
    every = shown(client, q="hello")
    (first, second) = re.findall(r'title="Lines around this one">([\d:.]+)<', every)[:2]

    page = shown(client, q="hello", range="custom", **{"from": first, "to": second})

    assert texts(page) == ["hello 1 from here"]
    assert "data-follow" in every
    assert "data-follow" not in page


def test_pages_of_many_lines_follow_each_other(client: Client, logged):
    logged.create(a_pod("web", "busybox:1.36", command=FLOOD, nodeName="worker-1"))
    logged.run_for(10)
    newest = shown(client, q="hello")
    assert len(texts(newest)) == logs.PAGE
    assert not link(newest, "logs-newer")

    older = shown_query(client, link(newest, "logs-older"))
    again = shown_query(client, link(older, "logs-newer"))

    def numbers(page: str) -> list[int]:
        return [int(text.split(" ")[1]) for text in texts(page)]

    assert numbers(older)[-1] == numbers(newest)[0] - 1
    assert numbers(older) == list(range(numbers(older)[0], numbers(older)[-1] + 1))
    assert numbers(again) == numbers(newest)


def shown_query(client: Client, query: str) -> str:
    return unescape(client.get(f"/view/lab/panel/logs?{query}").content.decode())


@pytest.mark.parametrize("stored", [True, False])
def test_the_lines_around_a_line_are_of_its_stream(client: Client, chatty, stored):
    if not stored:
        chatty.scale(LOKI, 0)
        chatty.run_for(30)
    page = client.get("/view/lab/panel/logs?" + urlencode({"q": '"hello 4 "'})).content.decode()
    (around,) = re.findall(r'class="at" hx-get="/view/lab/panel/logs\?([^"]*)"', page)

    found = shown_query(client, unescape(around))

    assert texts(found)[:7] == [f"hello {n} from here" for n in range(1, 8)]
    assert re.search(r'<li aria-current="true">.*?<mark>hello 4 </mark>from here', found)


def test_lines_of_a_deleted_pod_stay_and_say_so(client: Client, chatty):
    chatty.delete(chatty.get("Pod", "web"), gracePeriodSeconds=0)
    chatty.run_for(30)

    page = shown(client, q="hello 3")

    assert texts(page)[0] == "hello 3 from here"
    assert "web <small>deleted</small>" in page
    assert 'data-object="Pod/default/web"' not in page


def test_while_the_store_is_away_the_nodes_are_read_and_it_says_so(client: Client, chatty):
    chatty.scale(LOKI, 0)
    chatty.run_for(30)

    away = shown(client, q="hello")
    assert 'no endpoints available for service "loki"' in away
    assert texts(away)[0] == "hello 1 from here"

    chatty.scale(LOKI, 1)
    chatty.run_for(60)
    back = shown(client, q="hello")
    assert "logs-standing" not in back
    assert texts(back)[0] == "hello 1 from here"


def test_a_node_without_an_agent_is_named(client: Client, chatty):
    daemons = chatty.get("DaemonSet", "fluent-bit", "kube-system")
    chatty.patch(chatty.get("Node", "worker-1", ""), {"metadata": {"labels": {"agents": "here"}}})
    chatty.patch(daemons, {"spec": {"template": {"spec": {"nodeSelector": {"agents": "here"}}}}})
    chatty.run_for(60)

    page = shown(client)

    assert "No agent runs on:" in page
    assert ">worker-2<" in page


def test_without_add_ons_it_says_which_lines_install_them(client: Client):
    a_saved_cluster(nodes=1)

    page = shown(client, "default")

    assert "No log store is installed." in page
    assert "python manage.py addon loki | kubectl apply -f -" in page
    assert "python manage.py addon fluent-bit | kubectl apply -f -" in page


def test_on_the_nodes_pages_follow_each_other_too(client: Client):
    cluster = a_saved_cluster(nodes=1)
    cluster.create(a_pod("web", "busybox:1.36", command=FLOOD, nodeName="worker-1"))
    cluster.run_for(20)
    cluster.world.commit()
    query, row = logsearch.logql.parse('{pod="web"}'), logsearch.Cluster.objects.get()
    found: list[str] = []
    last = None
    while True:
        asked = logsearch.Asked(query, 0, row.sim_now, 100, True, last)
        answer = logsearch.from_nodes(row, asked)
        found += [entry.text for entry in answer.entries]
        if not answer.more:
            break
        last = answer.entries[-1].key

    assert found == [f"hello {n} from here" for n in range(1, len(found) + 1)]
    assert len(found) > 500


def test_lines_of_the_control_plane_are_found_with_and_without_a_store(client: Client, chatty):
    stored = shown(client, q="Successfully bound", component="kube-scheduler")
    assert 'title="kube-system/kube-scheduler-control-plane">kube-scheduler</span>' in stored
    assert any('pod="kube-system/loki-' in text for text in texts(stored))

    chatty.scale(LOKI, 0)
    chatty.run_for(30)
    read = shown(client, q="Successfully bound", component="kube-scheduler")

    def heads(page: str) -> list[str]:
        return [text.partition(" evaluatedNodes")[0] for text in texts(page)]  # The verdict on loki's pod went with it.

    assert heads(read)[: len(heads(stored))] == heads(stored)
    plane = unescape(client.get("/view/lab/panel/control-plane").content.decode())
    assert '"Successfully bound pod to node"' in plane
