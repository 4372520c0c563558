"""loki's HTTP API: by its own address and through the API server, while one of its pods is ready."""

import asyncio
from urllib.parse import quote, urlencode

import pytest

from tests.builders import EPOCH, a_pod
from tests.cluster.gateway.asgi import fetch
from tests.cluster.gateway.test_wswatch import Socket
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
        ("query=%7B", b"parse error at line 1, col 2: syntax error: unexpected $end, expecting IDENTIFIER\n"),
        (f"query={quote('count_over_time({pod=~`.+`}[1m])')}&step=0.0000001", b"zero or negative query resolution"),
        (f"query={quote('rate({pod=~`.+`}[1m])')}&start=1&step=0.1", b"exceeded maximum resolution of 11,000 points"),
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
    assert fetch(f"{SHORT}/push").status == 404
    assert fetch(f"{SHORT}/push", method="POST", body=b"{}").status == 405
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


def ask(kind: str, query: str, **more) -> dict:
    answer = fetch(f"{SHORT}/{kind}?{urlencode({'query': query, **more})}")
    assert answer.status == 200, answer.body
    return answer.json()["data"]


@pytest.mark.parametrize("base", [SHORT, LONG])
def test_grafana_finds_somebody_there(chatty, base):
    """What its data source asks for with "Save & test", and before it shows anything."""
    found = fetch(f"{base}/query?query={quote('vector(1)+vector(1)')}&time=4000000000").json()
    assert found["data"]["resultType"] == "vector"
    assert found["data"]["result"] == [{"metric": {}, "value": [4000000000, "2"]}]
    assert fetch(f"{base}/status/buildinfo").json()["version"].startswith("3.")
    assert fetch(f"{base}/index/stats?query={WEB}").json()["streams"] == 1
    asked = urlencode({"query": '{pod="web"} |= "hello"', "limit": 1, "direction": "forward"}).encode()
    form = {"content_type": "application/x-www-form-urlencoded"}
    posted = fetch(f"{base}/query_range", method="POST", body=asked, **form)
    assert lines(posted) == ["hello 1 from here"]


def test_lines_are_counted_at_each_step(chatty):
    hello = '{pod="web"} |= "hello"'
    number = len(lines(fetch(f"{SHORT}/query_range?query={HELLO}&limit=5000")))

    (counted,) = ask("query", f"count_over_time({hello}[1h])")["result"]
    assert counted["metric"]["pod"] == "web"
    assert counted["value"][1] == str(number)
    found = ask("query_range", f"sum by (namespace) (rate({hello}[20s]))", step="5s")
    assert found["resultType"] == "matrix"
    (series,) = found["result"]
    assert series["metric"] == {"namespace": "default"}
    assert float(series["values"][-2][1]) == pytest.approx(0.2, abs=0.06)
    assert ask("query", f"sum(count_over_time({hello}[1h])) > 1000")["result"] == []
    per_pod = ask("query", 'topk(2, sum by (pod) (count_over_time({job="fluentbit"}[1h])))')["result"]
    assert len(per_pod) == 2


def test_a_parser_finds_labels_that_are_tested_and_shown(logged: LoggedCluster):
    said = """echo '{"level":"warn","took":250,"who":{"name":"ann"}}'; echo 'level=info took=1.5s msg="all is well"' """
    logged.create(a_pod("talk", "busybox:1.36", command=["sh", "-c", f"{said}; sleep 1000"]))
    logged.run_for(30)

    (stream,) = ask("query_range", '{pod="talk"} | json | level="warn" and took > 200')["result"]
    assert stream["stream"]["who_name"] == "ann"
    assert stream["stream"]["container"] == "app"
    (stream,) = ask("query_range", '{pod="talk"} |= "level=" | logfmt | took >= 1s | line_format "{{.msg}}!"')["result"]
    assert stream["values"][0][1] == "all is well!"
    broken = ask("query_range", '{pod="talk"} | json | __error__ != ""')["result"]
    assert [stream["stream"]["__error__"] for stream in broken] == ["JSONParserErr"]
    (summed,) = ask("query", 'sum(sum_over_time({pod="talk"} | json | __error__="" | unwrap took [5m]))')["result"]
    assert summed["value"][1] == "250"


def test_a_log_query_is_no_instant_query_and_says_so(chatty):
    refused = fetch(f"{SHORT}/query?query={HELLO}")

    assert refused.status == 400
    assert b"please change your query to a range query type" in refused.body


@pytest.mark.parametrize("base", [SHORT, LONG])
def test_a_tail_sends_what_arrives_and_nothing_twice(chatty, base):
    async def run():
        socket = Socket(f"/clusters/lab{base}/tail", f"query={HELLO}&limit=3")
        await socket.until(lambda said: len(said) >= 2)
        for _ in range(2):
            before = len(socket.said)
            await asyncio.to_thread(chatty.run_for, 20)
            await socket.until(lambda said, before=before: len(said) > before)
        socket.incoming.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await socket.task
        return socket.frames()

    frames = asyncio.run(run())

    texts = [line for frame in frames for stream in frame["streams"] for _, line in stream["values"]]
    numbers = [int(text.split(" ")[1]) for text in texts]
    assert len(frames[0]["streams"][0]["values"]) == 3
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(numbers) >= 3 + 6


def test_a_tail_without_a_websocket_is_refused_in_its_words(chatty):
    refused = fetch(f"{SHORT}/tail?query={HELLO}")

    assert refused.status == 400
    assert b"the client is not using the websocket protocol" in refused.body


def test_since_has_any_units(chatty):
    assert lines(fetch(f"{SHORT}/query_range?query={HELLO}&since=1h30m"))
    refused = fetch(f"{SHORT}/query_range?query={HELLO}&since=soon")
    assert (refused.status, b"not a valid duration string" in refused.body) == (400, True)
