"""`manage.py logs`: the same lines as the page, for a terminal."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from cluster.logstore import logql
from cluster.models import Cluster
from dashboard.management.commands import logs
from tests.builders import a_pod
from tests.cluster.logstore.conftest import CHATTY, LoggedCluster
from tests.cluster.logstore.conftest import logged as logged
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("logs", *words, stdout=out)
    return out.getvalue()


@pytest.fixture
def chatty(logged: LoggedCluster) -> LoggedCluster:
    logged.create(a_pod("web", "busybox:1.36", command=CHATTY, nodeName="worker-1"))
    logged.run_for(60)
    return logged


def test_words_and_queries_find_lines_with_where_they_are_from(chatty):
    assert run("lab", "HELLO").splitlines()[0].endswith(" default/web app  hello 1 from here")
    (line,) = run("lab", '{pod="web"} |= "hello 3 "').splitlines()
    assert line.endswith("hello 3 from here")
    assert run("lab", "hello", "--limit", "2").count("\n") == 2
    assert run("lab", "hello", "--since", "1s").strip() == ""


def test_context_is_of_the_lines_stream_and_the_line_is_marked(chatty):
    told = run("lab", '"hello 4 "', "--context", "1").splitlines()

    assert [line[0] for line in told] == [" ", ">", " "]
    assert [line.rpartition("  ")[2] for line in told] == [f"hello {n} from here" for n in (3, 4, 5)]


def test_json_says_time_and_labels(chatty):
    answer = json.loads(run("lab", "hello", "--limit", "1", "--json"))

    assert (answer["from"], answer["more"]) == ("store", True)
    assert answer["lines"][0]["labels"]["pod"] == "web"
    assert answer["lines"][0]["at"] > 0


def test_follow_gives_what_is_there_and_then_what_arrives(chatty):
    row = Cluster.objects.get(name="lab")
    arriving = logs.arriving(row, logql.parse('{pod="web"} |= "hello"'), 0, 2)

    first = next(arriving)
    chatty.run_for(20)
    second = next(arriving)
    third = next(arriving)

    numbers = [int(entry.text.split(" ")[1]) for entry in [*first, *second]]
    assert len(first) == 2
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert len(second) >= 3
    assert third == []


def test_without_a_store_the_nodes_are_read_and_it_says_so():
    cluster = a_saved_cluster(nodes=1)
    cluster.create(a_pod("web", "busybox:1.36", command=CHATTY, nodeName="worker-1"))
    cluster.run_for(20)
    cluster.world.commit()

    told = run("default", "hello").splitlines()

    assert told[0] == '# loki does not answer (services "loki" not found): read on the nodes, as kubectl logs does'
    assert told[1].endswith("hello 1 from here")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("lab", "{pod="), "parse error at line 1, col 6"),
        (("lab", "x", "--since", "soon"), "invalid duration"),
        (("lab", "x", "--limit", "0"), "it must be from 1 to 5000"),
        (("nowhere", "x"), 'clusters "nowhere" not found'),
    ],
)
def test_what_is_asked_wrongly_is_refused_with_a_reason(logged, words, says):
    with pytest.raises(CommandError, match=says):
        run(*words)
