"""Whatever is typed into databases and interpreters: it ends, or costs little a second, and stays in the simulation."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.runtime.live.kernel import BUG
from cluster.runtime.programs.python_code import NOWHERE
from tests.builders import Refused, TestCluster, a_cluster, a_pod
from tests.cluster.kubelet.test_sessions import exec_
from tests.properties.hostile import TEXTS, watched
from tests.properties.work import MOST, SECONDS, counted

IMAGES = {"mysql": "mysql:8.4", "postgres": "postgres:17", "redis": "redis:8", "mongo": "mongo:8"}
ENV = {"MYSQL_ROOT_PASSWORD": "x", "MYSQL_DATABASE": "shop", "POSTGRES_PASSWORD": "x", "POSTGRES_DB": "shop"}
CLIENTS = {
    "mysql": ["mysql", "-uroot", "-px", "shop", "-e"],
    "postgres": ["psql", "-U", "postgres", "-d", "shop", "-c"],
    "redis": ["redis-cli"],
    "mongo": ["mongosh", "--quiet", "--eval"],
    "python": ["python", "-c"],
}
PIECES = {
    "sql": (
        "select", "*", "from t", "from t a, t b, t c", "where", "a = 1", "b like '%a%a%a%b'", "group by a", "having",
        "order by 1", "limit -1", "limit 99999999999", "union all", "insert into t values (1, 'x')", "delete from t",
        "update t set a = a + 1", "create table u as", "drop table t", "begin;", "rollback;", "commit;", "replace into",
        "repeat('a', 1e9)", "pow(9, 9999)", "1/0", "cast('x' as int)", "'x'::int", "concat(b, b)", "(", ")", ",", ";",
        "b regexp '(a*)*$'", "b ~ '(a*)*$'", "case when", "end", "null", "exists (select 1)", "in (select a from t)",
        "with r as (select 1)", "sleep(9)", "pg_sleep(9)", "load_file('/etc/passwd')", "into outfile '/x'", "\\! id",
        "copy t from '/etc/passwd'", "\\i /etc/passwd", "source /etc/passwd", "system id", "show databases", "\\d",
        "generate_series(1, 999999999)", "interval '1 day'", "-" * 3, "/*", "sum(a) over (order by a)",
    ),
    "redis": (
        "set", "get", "incr", "append", "lpush", "lrange", "hset", "zadd", "keys", "config", "eval", "save", "shutdown",
        "debug", "slaveof", "replicaof", "client", "subscribe", "multi", "exec", "expire", "a", "*" * 9, "[", "0", "-1",
        "1e309", "nan", "inf", "-h", "-p", "99999999", "-n", "--eval", "/etc/passwd", "-r", "1000000", "-i", "0", "--",
    ),
    "mongo": (
        "db.a.", "find(", "insertOne(", "insertMany(", "aggregate([", "updateMany(", "{", "}", ")", "]", "[", "n: 1",
        "{$where: 'while(1){}'}", "{n: /(a+)+$/}", "$group: {_id: 1}", ",", "=>", "x", "let x =", "while (true)",
        "for (;;)", "x = x + x", "'a'.repeat(1e9)", "function f() {", "f()", "...", "...x", "new Date(1e99)", "-", "++",
        "`${", "}`", "load('/etc/passwd')", "require('fs')", "process.exit()", "quit()", "ObjectId('z')", ";", "null",
        "x.x", "__proto__", "constructor", "eval('1')", "JSON.parse('[')", "sleep(1e9)", "sort(", ".forEach(",
    ),
    "python": (
        "x = []", "x.append(x)", "while True:", "\n    ", "\n", "pass", "for i in range(10**9):", "print(", ")", "x",
        "10**10**10", "'a' * 10**9", "[0] * 10**9", "lambda: x()", "import os", "os.system('id')", "import time",
        "time.sleep(0.0001)", "time.sleep(-1)", "time.sleep(1e99)", "open('/etc/passwd')", "__import__('os')", "= x",
        "().__class__.__bases__[0]", "'{0.__class__}'.format(x)", "f'{x!r:>{10**9}}'", "'%99999d' % 1", "def f():",
        "return f()", "try:", "except Exception:", "raise", "sorted([0] * 9999, key=", "1 << 10**9", "import random",
        "random.random()", "import re", "re.match('(a+)+$', 'a' * 99)", "int('9' * 9999)", "[x for x in x", "]", "\t",
    ),
}  # fmt: skip
ROWS = "create table t (a int primary key, b varchar(200)); insert into t values " + ",".join(
    f"({n},'aaaaaaaaaaaaaaaaaaaa')" for n in range(500)
)
SMALL = "create table t (a int, b varchar(9)); insert into t values " + ",".join(f"({n},'a')" for n in range(400))


def a_house() -> TestCluster:
    """A pod of each database, and one with python."""
    cluster = a_cluster(nodes=1)
    env = [{"name": name, "value": value} for name, value in ENV.items()]
    for name, image in IMAGES.items():
        cluster.create(a_pod(name, image, env=env))
    cluster.create(a_pod("python", "python:3.13", command=["sleep", "100000000"]))
    return cluster.run_for(60)


@pytest.fixture(scope="module")
def house() -> TestCluster:
    return a_house()


def survives(house: TestCluster, pod: str, *words: str, seconds: float = SECONDS) -> None:
    """Typed into a copy of the house: bounded, without a bug, and nothing of the host is touched."""
    cluster = TestCluster(house.world.fork())
    with watched() as forbidden, counted() as calls:
        try:
            exec_(cluster, pod, *CLIENTS[pod], *words)
        except Refused as refused:
            if refused.status >= 500:
                raise
        cluster.run_for(seconds)

    assert calls[0] <= MOST
    assert set(forbidden) <= {f"open {NOWHERE!r}"}
    assert BUG not in repr(cluster.world.cells["sessions"].data)


@pytest.mark.parametrize("pod", ["mysql", "postgres"])
@pytest.mark.parametrize(
    "text",
    [
        f"{SMALL};" + ";".join(["update t set a = a + 1"] * 1900),
        f"{ROWS}; select count(*) from t a, t b, t c",
        f"{ROWS}; replace into t select * from t",
        f"{ROWS}; select * from t where b like '%a%a%a%a%a%a%a%a%a%a%b'",
        "".join(f"create database d{n};" for n in range(800)),
        f"select {'(' * 3000}1{')' * 3000}",
        f"select {'1+' * 7000}1",
    ],
)
def test_sql_of_much_work_lets_the_world_go_on(house: TestCluster, pod: str, text: str) -> None:
    survives(house, pod, text)


@pytest.mark.parametrize(
    "text",
    [
        "while True: pass",
        "x = 1\nwhile True: x *= 3\n",
        "import random, time\nwhile True:\n    random.random()\n    time.sleep(0.001)\n",
        "import time\nwhile True:\n    print(time.time())\n    time.sleep(0.0001)\n",
        "s = 'a' * 60000\nfor i in range(99999): 'a' * 30000 + 'b' in s\n",
    ],
)
def test_a_script_that_computes_for_ever_is_not_run_again_and_again(house: TestCluster, text: str) -> None:
    survives(house, "python", text)


@pytest.mark.parametrize(
    "text", ["while (true) {}", "for (let i = 0; i < 19000; i++) { db.a.insertOne({n: i}) }", "f = x => f(x); f(1)",
             "(" * 5000, "1" + "+1" * 20000, "let o = {}; o.o = o; o"],
)  # fmt: skip
def test_javascript_of_much_work_lets_the_world_go_on(house: TestCluster, text: str) -> None:
    survives(house, "mongo", text)


@settings(max_examples=40 if settings().max_examples <= 100 else 3_000)
@given(data=st.data(), pod=st.sampled_from(sorted(CLIENTS)))
def test_no_words_in_any_client_stop_the_world(house: TestCluster, data: st.DataObject, pod: str) -> None:
    pieces = st.one_of(st.sampled_from(PIECES["sql" if pod in ("mysql", "postgres") else pod]), TEXTS)
    words = data.draw(st.lists(pieces, min_size=1, max_size=10))
    survives(house, pod, *(words if pod == "redis" else [" ".join(words)]))
