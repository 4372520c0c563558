"""mongo: documents in files of /data/db, mongosh in front of them, mongo-express beside."""

import contextlib
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.runtime.live.files import Files
from cluster.runtime.live.servers import mongo, wire
from cluster.runtime.live.servers.place import Place
from cluster.runtime.programs import javascript
from tests.builders import TestCluster, a_cluster, a_pod, a_service
from tests.cluster.kubelet.cases import a_machine_room, container
from tests.cluster.kubelet.test_sessions import code, exec_, printed, type_

ROOT = {"MONGO_INITDB_ROOT_USERNAME": "root", "MONGO_INITDB_ROOT_PASSWORD": "secret"}


def a_mongo(env: dict[str, str] | None = None, volume: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    variables = [{"name": name, "value": value} for name, value in (env or {}).items()]
    pod = a_pod("db", "mongo:8", env=variables, **{"restartPolicy": "Always", **more})
    pod["metadata"]["labels"] = {"app": "db"}
    if volume is not None:
        pod["spec"]["volumes"] = [{"name": "data", **volume}]
        pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data/db"}]
    return pod


def a_room(pod: dict[str, Any]) -> TestCluster:
    cluster = a_machine_room()
    cluster.create(pod)
    return cluster.run_for(60)


def sh(cluster: TestCluster, text: str, options: str = "", pod: str = "db") -> str:
    return printed(cluster, exec_(cluster, pod, *f"mongosh --quiet {options} --eval".split(), text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("db.a.insertMany([{n: 1, t: ['x']}, {n: 2, t: ['y']}]); db.a.countDocuments({n: {$gt: 1}})", "1\n"),
        ("db.a.insertOne({_id: 1, s: {k: 'v'}}); db.a.find({'s.k': 'v'})", "[ { _id: 1, s: { k: 'v' } } ]\n"),
        ("db.a.insertOne({_id: 1, n: 1}); db.a.updateOne({_id: 1}, {$inc: {n: 2}, $set: {m: 'x'}}); db.a.findOne()",
         "{ _id: 1, n: 3, m: 'x' }\n"),
        ("db.a.updateOne({_id: 7}, {$set: {x: 1}}, {upsert: true}).upsertedCount", "1\n"),
        ("for (let i = 0; i < 5; i++) { db.a.insertOne({_id: i, even: i % 2 == 0}) } db.a.deleteMany({even: true})",
         "{ acknowledged: true, deletedCount: 3 }\n"),
        ("db.a.insertMany([{_id: 1, c: 'x', n: 2}, {_id: 2, c: 'x', n: 3}]);"
         "db.a.aggregate([{$group: {_id: '$c', total: {$sum: '$n'}}}])", "[ { _id: 'x', total: 5 } ]\n"),
        ("db.a.insertMany([{_id: 2}, {_id: 1}]); db.a.find().sort({_id: 1}).forEach(d => print(d._id))", "1\n2\n"),
        ("db.a.find({name: /^an/i}).toArray().length", "0\n"),
        ("db.runCommand({ping: 1})", "{ ok: 1 }\n"),
        ("rs.status()", "MongoServerError[NoReplicationEnabled]: not running with --replSet\n"),
        ("db.a.insertOne({_id: 1}); db.a.insertOne({_id: 1})", "MongoServerError[DuplicateKey]: E11000 duplicate key"
                                                               " error"
         " collection: test.a index: _id_ dup key: { _id: 1 }\n"),
        ("nope", "ReferenceError: nope is not defined\n"),
        ("db.a.find(", "SyntaxError: Unexpected end of input\n"),
        ("let s = 'ab'; while (true) { s = s + s }", "RangeError: Invalid string length\n"),
        ("let n = 3; for (let i = 0; i < 99; i++) { n = n * n } n", "Infinity\n"),
        ("while (true) {}", "RangeError: orrery: more than 20000 steps\n"),
    ],
)  # fmt: skip
def test_mongosh_evaluates(text: str, said: str):
    assert sh(a_room(a_mongo()), text) == said


def test_documents_live_as_long_as_their_disk():
    for volume, left in (({"hostPath": {"path": "/mnt/mongo"}}, "1\n"), (None, "0\n")):
        pod = a_mongo(volume=volume)
        cluster = a_room(pod)
        sh(cluster, "db.a.insertOne({x: 1})")
        cluster.delete(pod)
        cluster.run_until(lambda cluster: cluster.get("Pod", "db") is None, 60)
        cluster.create(pod)
        cluster.run_for(40)

        assert sh(cluster, "db.a.countDocuments()") == left


def test_a_root_user_makes_everybody_give_a_name():
    cluster = a_room(a_mongo(ROOT))

    assert sh(cluster, "db.a.find()") == "MongoServerError[Unauthorized]: Command find requires authentication\n"
    assert sh(cluster, "db.a.find()", "-u root -p secret") == "[]\n"
    assert sh(cluster, "1", "-u root -p no") == "MongoServerError: Authentication failed.\n"
    assert sh(cluster, "db.getName()", "mongodb://root:secret@localhost:27017/shop?authSource=admin") == "shop\n"


def test_half_a_root_user_is_refused():
    cluster = a_room(a_mongo({"MONGO_INITDB_ROOT_USERNAME": "root"}, restartPolicy="Never"))

    assert container(cluster, "db")["state"]["terminated"]["exitCode"] == 1


def test_mongosh_talks_at_a_terminal():
    cluster = a_room(a_mongo())
    session = exec_(cluster, "db", "mongosh", "--quiet", tty=True, stdin=True)
    for text in ("show dbs", "use shop", "db.guests.insertOne({_id: 1,", "name: 'Ann'})", "show collections",
                 "let x = 4", "x * 2", "exit"):  # fmt: skip
        type_(cluster, session, f"{text}\n")

    assert printed(cluster, session).replace("\r\n", "\n") == (
        "test> show dbs\nadmin   40.00 KiB\nconfig  40.00 KiB\nlocal   40.00 KiB\ntest> use shop\nswitched to db shop\n"
        "shop> db.guests.insertOne({_id: 1,\n... name: 'Ann'})\n{ acknowledged: true, insertedId: 1 }\n"
        "shop> show collections\nguests\nshop> let x = 4\nshop> x * 2\n8\nshop> exit\n"
    )
    assert code(cluster, session) == 0


def test_mongo_express_shows_what_is_there_to_whom_it_may():
    cluster = a_cluster(nodes=1, addons=["kube-proxy", "coredns"])
    cluster.create(a_service("db", 27017))
    cluster.create(a_service("express", 8081))
    cluster.create(a_mongo(ROOT))
    given = {"ME_CONFIG_MONGODB_SERVER": "db", "ME_CONFIG_MONGODB_ADMINUSERNAME": "root",
             "ME_CONFIG_MONGODB_ADMINPASSWORD": "secret"}  # fmt: skip
    express = a_pod("express", "mongo-express", env=[{"name": name, "value": value} for name, value in given.items()])
    express["metadata"]["labels"] = {"app": "express"}
    cluster.create(express)
    cluster.create(a_pod("browser", "curlimages/curl", command=["sleep", "100000"]))
    cluster.run_for(150)
    sh(cluster, "db.guests.insertOne({name: 'Ann'})", "-u root -p secret")

    def curl(path: str) -> str:
        return printed(cluster, exec_(cluster, "browser", "curl", "-s", f"http://express:8081{path}"))

    assert '<a href="/db/test/">test</a>' in curl("/")
    assert "Ann" in curl("/db/test/guests")
    cluster.delete(a_mongo(ROOT), gracePeriodSeconds=0)
    cluster.run_for(5)
    assert "MongoServerError" in curl("/")


SIGNS = st.sampled_from((
    "db", ".", "a", "find", "(", ")", "{", "}", "[", "]", ",", ":", "1", "'x'", "=", "+", "=>", "x", "let ", "for", ";",
    "$gt",
    "insertOne", "-", "!", "/", "_id", "new ", "ObjectId", "updateOne", "$set", "aggregate", "null", "...", "if", "++",
))  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(SIGNS, max_size=16))
def test_any_program_ends(words: list[str]):
    names = {"db": {"a": {}}, "x": 1, "ObjectId": lambda *values: {"$oid": "0" * 24}}
    with contextlib.suppress(
        javascript.ScriptError, TypeError, AttributeError, LookupError, ValueError, ArithmeticError
    ):
        javascript.Runner(names, lambda owner, name: javascript.UNDEFINED).run("".join(words))


@pytest.mark.parametrize(
    "last", ["a", "f(a)", "a + ''", "a == ''", "({})[a]", "a.join()", "a.map(f)", "({[a]: 1})", "-a"]
)
def test_what_has_more_elements_than_can_be_looked_at_is_refused(last: str):
    """Sixty lists that hold the one before twice have 2^60 elements."""
    runner = javascript.Runner({"f": lambda value: value}, lambda owner, name: javascript.UNDEFINED)

    with pytest.raises(javascript.ScriptError, match="orrery: an operation on more than 100000 elements"):
        runner.run(f"let a = [1]; for (let i = 0; i < 60; i++) {{ a = [a, a] }}; {last}")


def test_variables_of_that_size_are_not_kept():
    cluster = a_room(a_mongo())

    said = sh(cluster, "let a = [1]; for (let i = 0; i < 60; i++) { a = [a, a] }; 1")

    assert said == "RangeError: orrery: an operation on more than 100000 elements\n"


def test_a_list_is_filled_to_a_thousand():
    runner = javascript.Runner({}, lambda owner, name: javascript.UNDEFINED)

    assert runner.run("let a = []; for (let i = 0; i < 1000; i++) { a.push(i) }; a.length") == 1000


def test_a_stage_has_exactly_one_field():
    assert "must contain exactly one field" in sh(a_room(a_mongo()), "db.a.aggregate([{}])")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(mongo.COMMANDS)), st.recursive(
    st.none() | st.integers(-5, 5) | st.sampled_from(["a", "$a", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "$gt", "$set", "q"]), inner),
    max_leaves=8,
), st.dictionaries(st.sampled_from(["documents", "q", "u", "filter", "pipeline", "key", "sort"]), st.lists(
    st.dictionaries(st.sampled_from(["a", "$group", "_id"]), st.integers(0, 2)), max_size=2)))  # fmt: skip
def test_any_command_gets_an_answer(name: str, value: Any, more: dict[str, Any]):
    place = Place(Files({}, {"own": {}}, "own", [], 1), {}, datetime(2026, 11, 25, tzinfo=UTC), 1)
    mongo.start(place)
    given = wire.request(database="test", command={name: value, **more})

    answer = mongo.serve(place, 27017, given)

    assert answer is not None
    assert "ok" in (wire.answered(answer.data) or {})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("let n = 0; const f = () => { n += 1 }; f(); f(); n", 2),
        ("const a = 1; `${a + 1} is ${'two'}`", "2 is two"),
        ("let m = ''; try { throw new Error('no') } catch (e) { m = e.message } finally { m += '!' }; m", "no!"),
        ("let n = 0; for (;;) { n++; if (n < 3) continue; break }; n", 3),
        ("const {a, b: c} = {a: 1, b: 2}; const [d] = [4]; a + c + d", 7),
        ("let m = ''; try { nobody } catch (e) { m = e.name }; m", "ReferenceError"),
    ],
)
def test_closures_templates_errors_loops_and_patterns_are_javascript(text: str, value: Any) -> None:
    names = {"Error": lambda message="": javascript.error_of(f"Error: {message}")}

    assert javascript.Runner(names, lambda owner, name: javascript.UNDEFINED).run(text) == value


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("const f = () => f(); f()", "Maximum call stack size exceeded"),
        ("for (;;) { try { for (;;) {} } catch (e) {} }", "more than 20000 steps"),
        ("{" * 5000, "levels of nesting"),
        ("`${" * 5000, "."),
        ("break", "Illegal break"),
        ("let s = 'x'; for (;;) { s = `${s}${s}` }", "Invalid string length"),
    ],
)
def test_hostile_javascript_ends_with_an_error_that_names_the_limit(text: str, error: str) -> None:
    with pytest.raises(javascript.ScriptError, match=error):
        javascript.Runner({}, lambda owner, name: javascript.UNDEFINED).run(text)
