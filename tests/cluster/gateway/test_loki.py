"""loki's HTTP API: by its own address and through the API server, while one of its pods is ready."""

from urllib.parse import quote

import pytest

from tests.builders import EPOCH, a_pod
from tests.cluster.gateway.asgi import fetch
from tests.cluster.logstore.conftest import CHATTY, LoggedCluster
from tests.cluster.logstore.conftest import logged as logged

LOKI = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "loki", "namespace": "kube-system"}}
SHORT = "/loki/api/v1"
LONG = f"/api/v1/namespaces/kube-system/services/loki:3100/proxy{SHORT}"
WEB = quote('{pod="web"}')
HELLO = quote('{pod="web"} |= "hello"')


@pytest.fixture
def chatty(logged: LoggedCluster) -> LoggedCluster:
    logged.create(a_pod("web", "busybox:1.36", command=CHATTY))
    logged.run_for(60)
    return logged


def lines(answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [text for stream in answer.json()["data"]["result"] for _, text in stream["values"]]


@pytest.mark.parametrize("base", [SHORT, LONG])
def test_a_query_is_answered_as_loki_does(chatty, base):
    said = fetch(f"{base}/query_range?query={HELLO}&limit=2&direction=forward").json()

    assert (said["status"], said["data"]["resultType"]) == ("success", "streams")
    (stream,) = said["data"]["result"]
    assert stream["stream"]["namespace"] == "default"
    assert [text for _, text in stream["values"]] == ["hello 1 from here", "hello 2 from here"]
    first, second = (int(at) for at, _ in stream["values"])
    assert first > EPOCH * 1000
    assert second - first == pytest.approx(5e9, rel=0.1)


def test_a_range_of_time_is_from_its_start_to_before_its_end(chatty):
    (stream,) = fetch(f"{SHORT}/query_range?query={HELLO}&direction=forward").json()["data"]["result"]
    moments = [int(at) for at, _ in stream["values"]]

    between = f"{SHORT}/query_range?query={HELLO}&start={moments[1]}&end={moments[3]}"

    assert lines(fetch(between)) == ["hello 3 from here", "hello 2 from here"]
    assert lines(fetch(f"{SHORT}/query_range?query={HELLO}&start=2020-01-01T00:00:00Z&end=2020-01-02T00:00:00Z")) == []


def test_labels_values_and_series_are_listed(chatty):
    names = ["component", "container", "job", "namespace", "node", "pod", "stream"]
    assert fetch(f"{SHORT}/labels").json()["data"] == names
    assert fetch(f"{SHORT}/label/namespace/values").json()["data"] == ["default", "kube-system"]
    assert fetch(f"{SHORT}/label/nothing/values").json() == {"status": "success"}
    (series,) = fetch(f"{LONG}/series?match[]={WEB}").json()["data"]
    assert (series["pod"], series["container"]) == ("web", "app")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("query=%7B", b"parse error"),
        (f"query={HELLO}&limit=6000", b"max entries limit per query exceeded"),
        (f"query={HELLO}&limit=no", b"limit must be a positive value"),
        (f"query={HELLO}&start=yesterday", b"could not parse 'start' parameter"),
        (f"query={HELLO}&start=1.5.5", b"could not parse 'start' parameter"),
        (f"query={HELLO}&start=5&end=4", b"end timestamp must not be before"),
        (f"query={HELLO}&since=soon", b"not a valid duration"),
        (f"query={HELLO}&direction=up", b"invalid direction"),
    ],
)
def test_a_bad_question_is_a_400_in_plain_text(chatty, asked, says):
    refused = fetch(f"{SHORT}/query_range?{asked}")

    assert refused.status == 400
    assert says in refused.body


def test_other_pages_are_not_there_and_nothing_is_written(chatty):
    assert fetch(f"{SHORT}/tail").status == 404
    assert fetch(f"{SHORT}/query_range?query={HELLO}", method="POST").status == 405
    assert fetch("/loki/elsewhere").status == 404


@pytest.mark.parametrize("base", [SHORT, LONG])
def test_without_a_ready_pod_it_is_503_and_later_nothing_is_missing(chatty, base):
    chatty.scale(LOKI, 0)
    chatty.run_for(30)

    refused = fetch(f"{base}/query_range?query={HELLO}")
    assert refused.status == 503
    assert refused.json()["message"] == 'no endpoints available for service "loki"'

    chatty.scale(LOKI, 1)
    chatty.run_for(60)
    said = lines(fetch(f"{base}/query_range?query={HELLO}&direction=forward"))
    assert [int(text.split(" ")[1]) for text in said] == list(range(1, len(said) + 1))
    assert len(said) > 20


def test_without_the_add_on_there_is_no_such_service(lab):
    assert fetch(f"{SHORT}/labels").status in (404, 503)
