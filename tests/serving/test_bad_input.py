"""What people type wrong, and what fails around us: one clear line each, and nothing is lost."""

import http.client
import json
import sqlite3
import threading
from collections.abc import Callable

import pytest
from django.db import connection

from cluster.models import Cluster
from tests.serving.installation import Installation, a_config_map, creation, eventually


def refused(orrery: Installation, *arguments: str) -> str:
    """The one line that a refused command prints; its exit code is 1."""
    said = orrery.manage(*arguments)
    assert said.returncode == 1, said.stdout
    lines = said.stderr.strip().splitlines()
    assert len(lines) == 1, said.stderr
    return lines[0].removeprefix("CommandError: ")


def test_every_wrong_command_ends_with_one_clear_line(orrery: Installation):
    cases = {
        ("cluster", "create", "default"): 'clusters "default" already exists',
        ("cluster", "create", "Not_A_Label"): "cluster name 'Not_A_Label' is not a DNS label: lower case letters,"
        " digits and '-', at most 63 characters",
        ("cluster", "create", "big", "--nodes", "9999"): "nodes is 9999; it must be a whole number from 0 to 5000",
        ("cluster", "delete"): 'cluster "default" is the last one, and there must be one; create another before'
        " deleting it",
        ("cluster", "digest", "nowhere"): 'clusters "nowhere" not found; there are: default',
        ("node", "power-off", "nobody"): 'nodes "nobody" not found: there is no such machine; machines: worker-1,'
        " worker-2, worker-3",
        ("node", "add", "n", "--label", "x"): "--label x: it must look like KEY=VALUE",
        ("node", "add", "n", "--taint", "a=b:Never"): "--taint a=b:Never: it must look like KEY=VALUE:EFFECT, with one"
        " of: NoSchedule, PreferNoSchedule, NoExecute",
        ("clock", "speed", "-1"): 'speed -1: it must be a number from 0.1 to 1000, or "max"',
        ("clock", "speed", "2000"): 'speed 2000: it must be a number from 0.1 to 1000, or "max"',
        ("why", "pod"): "'pod' must look like KIND/NAME, such as pod/web-1",
        ("why", "unicorn/x"): 'there is no kind "unicorn"',
        ("why", "pod/ghost"): 'pods "ghost" not found',
    }
    for arguments, line in cases.items():
        assert refused(orrery, *arguments) == line

    assert orrery.manage("node", "power-off", "worker-2").returncode == 0
    assert "worker-2 is off already" in refused(orrery, "node", "power-off", "worker-2")
    assert "worker-3 is on already" in refused(orrery, "node", "power-on", "worker-3")
    assert json.loads(orrery.manage("clock", "speed", "0", "--json").stdout)["error"].startswith("speed 0:")


def test_a_command_without_a_server_says_how_to_start_one(installed: Callable[..., Installation]):
    orrery = installed()
    orrery.stop()

    line = refused(orrery, "node", "power-off", "worker-1")

    assert line == "the broker can't be reached, so nobody can be asked to do this; is `make run` still running?"


def test_bad_requests_are_refused_at_the_door(orrery: Installation):
    path = "/clusters/default/api/v1/namespaces/default/configmaps"

    def post(body: bytes, to: str = path, **headers: str) -> tuple[int, str]:
        door = http.client.HTTPConnection("127.0.0.1", orrery.port, timeout=20)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        door.request("POST", to, body, {"Content-Type": "application/json", **named})
        answer = door.getresponse()
        return answer.status, answer.read().decode()

    good = json.dumps(a_config_map("good")).encode()
    assert post(good)[0] == 201
    assert post(b'{"data": "' + b"x" * (3 * 1024 * 1024) + b'"}')[0] == 413
    assert post(b'{"a":' * 20_000 + b"1" + b"}" * 20_000)[0] == 400
    assert post(good, Content_Type="text/plain")[0] == 415
    assert post(b"{not json")[0] == 400
    assert post(good, Host="evil.example")[0] == 400
    assert post(good, Origin="http://evil.example")[0] == 403
    assert post(b"", to="/view/default/act/power-off", Origin="http://evil.example")[0] == 403
    assert post(b"node=worker-1", to="/view/default/act/power-off")[0] == 403, "no CSRF token"


def test_a_full_disk_stops_the_cluster_which_says_so_and_goes_on_when_there_is_room(
    installed: Callable[..., Installation],
):
    orrery = installed(ORRERY_MAX_MB="4")
    answers = []

    def fill() -> None:
        for number in range(30):
            answers.append(orrery.ask(creation(a_config_map(f"large-{number}", text="x" * 500_000), "configmaps")))
            if answers[-1].status != 201:
                return

    writer = threading.Thread(target=fill)
    writer.start()
    eventually(lambda: "disk is full" in Cluster.objects.get(name="default").stopped, 60)
    writer.join(60)

    assert answers[0].status == 201
    assert answers[-1].status == 507
    assert "database or disk is full" in answers[-1].json()["message"]
    orrery.stop()

    orrery.environment["ORRERY_MAX_MB"] = "100"
    orrery.output.clear()
    orrery.start()
    assert orrery.ask(creation(a_config_map("afterwards"), "configmaps")).status == 201
    eventually(lambda: Cluster.objects.get(name="default").stopped == "")


def test_a_locked_database_is_named_and_waited_for(installed: Callable[..., Installation]):
    orrery = installed(ORRERY_BUSY_TIMEOUT="1")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    answer = orrery.ask(creation(a_config_map("waiting"), "configmaps"))
    other.execute("ROLLBACK")
    other.close()

    assert answer.status == 503
    assert "database is locked" in answer.json()["message"]
    assert eventually(lambda: orrery.ask(creation(a_config_map("waiting"), "configmaps")).status) == 201


@pytest.mark.parametrize("value", ["x", "[1]", '{"type": "unknown"}', '{"type": "api"}', '{"type": "clock", "op": 7}'])
def test_a_malformed_input_is_answered_and_the_world_goes_on(orrery: Installation, value: str):
    """Nobody but a bug would send this; it must not take the cluster down."""
    request = json.loads(value) if value.startswith("{") else {"type": value}

    answer = orrery.ask(request)

    assert answer.status in (400, 404, 405, 500)
    assert orrery.ask(creation(a_config_map("still-here"), "configmaps")).status == 201
