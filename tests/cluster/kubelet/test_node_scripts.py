"""Node.js in the shell of its container, and as what a pod runs."""

import pytest

from tests.builders import TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, container, phase
from tests.cluster.kubelet.test_sessions import code, exec_, printed


@pytest.fixture(scope="module")
def room() -> TestCluster:
    pod = a_bound_pod("box", "node:22", command=["node", "-e", "setInterval(() => console.log('tick'), 1000)"])
    return a_machine_room().with_objects(pod).run_for(40)


def said(room: TestCluster, *words: str, seconds: float = 1) -> str:
    session = exec_(room, "box", *words)
    room.run_for(seconds)
    return printed(room, session)


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("console.log('a', 1 / 2, [1, 'x'], {b: null})", "a 0.5 [ 1, 'x' ] { b: null }\n"),
        ("console.log(-5 % 3, 1 / 0, 7 / 2 | 0)", None),
        ("console.log(-5 % 3, 1 / 0, 0 / 0)", "-2 Infinity NaN\n"),
        ("const os = require('os'); console.log(`on ${os.hostname()}`)", "on box\n"),
        ("console.log(process.version, process.argv.length)", "v22.19.0 1\n"),
        ("console.log(JSON.stringify({a: [1, {b: 'é'}]}), JSON.parse('[1]').length)", '{"a":[1,{"b":"é"}]} 1\n'),
        ("console.log(JSON.stringify({a: 1}, null, 2))", '{\n  "a": 1\n}\n'),
        ("console.log(Object.keys({x: 1, y: 2}), Math.max(1, 7, 3), parseInt('12px'))", "[ 'x', 'y' ] 7 12\n"),
        ("let n = 0; for (let i = 0; i < 5; i++) { n += i } console.log(n)", "10\n"),
        ("const f = name => `hi ${name}`; console.log(f('Ann'))", "hi Ann\n"),
        ("const fs = require('fs'); fs.writeFileSync('/tmp/a', 'x'); console.log(fs.readFileSync('/tmp/a'))", "x\n"),
        ("process.stdout.write('no newline')", "no newline"),
        ("setTimeout(() => console.log('b'), 20); setTimeout(() => console.log('a'), 10)", "a\nb\n"),
    ],
)
def test_a_script_says_what_node_says(room: TestCluster, script: str, answer: str | None):
    found = said(room, "node", "-e", script)

    assert found == answer if answer is not None else "SyntaxError" in found


def test_print_shows_the_value_and_a_file_or_standard_input_is_run(room: TestCluster):
    assert said(room, "node", "-p", "[1, 2].map(x => x * 2)") == "[ 2, 4 ]\n"
    assert said(room, "sh", "-c", "echo 'console.log(process.argv[2])' > a.js; node a.js word") == "word\n"
    assert said(room, "sh", "-c", "echo 'console.log(6 * 7)' | node") == "42\n"


def test_timers_go_off_when_they_are_due_and_each_once(room: TestCluster):
    script = "let n = 0; const t = setInterval(() => { console.log(++n); if (n === 3) clearInterval(t) }, 1000)"

    assert said(room, "node", "-e", script, seconds=2.5) == "1\n2\n"
    assert said(room, "node", "-e", script, seconds=4) == "1\n2\n3\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("boom()", "ReferenceError: boom is not defined"),
        ("throw new Error('bad day')", "Error: bad day"),
        ("null.x", "TypeError: Cannot read properties of null (reading 'x')"),
        ("require('express')", "orrery: express is not modelled in scripts"),
        ("class A {}", "orrery: class is not modelled"),
        ("require('./lib')", "Cannot find module './lib'"),
        ("console.log(", "SyntaxError: Unexpected end of input"),
        ("while (true) {}", "orrery: more than 100000 steps"),
        ("for (;;) setTimeout(() => 1, 1)", "orrery: more than 64 timers"),
        ("const f = () => f(); f()", "Maximum call stack size exceeded"),
        ("'x'.repeat(1e9)", "Invalid string length"),
        ("let a = 'x'; while (true) a += a", "Invalid string length"),
        ("[".strip() * 5000, "SyntaxError"),
    ],
)
def test_what_goes_wrong_is_told_in_node_s_words_and_ends_with_code_1(room: TestCluster, script: str, words: str):
    session = exec_(room, "box", "node", "-e", script)
    room.run_for(2)

    assert words in printed(room, session)
    assert "Node.js v22.19.0" in printed(room, session)
    assert code(room, session) == 1


def test_the_exit_code_is_the_script_s(room: TestCluster):
    session = exec_(room, "box", "node", "-e", "process.exitCode = 3; setTimeout(() => process.exit(), 100)")
    room.run_for(1)

    assert code(room, session) == 3


def test_a_pod_runs_a_script_from_a_config_map_and_crashes_with_it():
    cluster = a_machine_room()
    text = "console.log('up'); setTimeout(() => { throw new Error('no database') }, 2000)"
    cluster.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"app.js": text}})
    pod = a_bound_pod("app", "node:22", command=["node", "/app/app.js"])
    pod["spec"]["volumes"] = [{"name": "code", "configMap": {"name": "c"}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "code", "mountPath": "/app"}]
    cluster.create(pod)

    cluster.run_until(lambda c: container(c, "app").get("restartCount", 0) >= 1, 90)

    assert container(cluster, "app")["lastState"]["terminated"]["exitCode"] == 1
    assert phase(cluster, "app") == "Running"
