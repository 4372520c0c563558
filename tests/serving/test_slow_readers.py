"""A client that does not read costs the server no memory, and gets everything when it reads at last."""

import http.client
import json
import socket

import psutil

from tests.serving.installation import Installation, a_config_map, creation, eventually

MAPS, SIZE = 60, 300_000


def test_a_watch_that_is_not_read_waits_at_the_gate(orrery: Installation):
    watch = socket.create_connection(("127.0.0.1", orrery.port))
    watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
    path = "/clusters/default/api/v1/namespaces/default/configmaps?watch=1"
    watch.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    answer = http.client.HTTPResponse(watch)
    answer.begin()
    daphne = psutil.Process(orrery.pids()["daphne"])
    before = daphne.memory_info().rss

    for number in range(MAPS):
        assert orrery.ask(creation(a_config_map(f"large-{number}", text="x" * SIZE), "configmaps")).status == 201
    grown = daphne.memory_info().rss - before
    names: list[str] = []
    while f"large-{MAPS - 1}" not in names:
        names.append(json.loads(answer.readline())["object"]["metadata"]["name"])
    watch.close()

    assert [name for name in names if name.startswith("large")] == [f"large-{number}" for number in range(MAPS)]
    assert grown < 3 * MAPS * SIZE, "one copy of each change for the hub is fair, a buffer without limit is not"


def test_a_client_that_goes_away_is_let_go_and_the_server_serves_on(orrery: Installation):
    def connections() -> int:
        return len(psutil.Process(orrery.pids()["daphne"]).net_connections("tcp"))

    path = "/clusters/default/api/v1/pods?watch=1"
    before = connections()
    doors = [http.client.HTTPConnection("127.0.0.1", orrery.port) for _ in range(20)]
    for door in doors:
        door.request("GET", path)
        assert door.getresponse().status == 200
    assert connections() >= before + 20

    for door in doors:
        door.close()
    del doors, door

    eventually(lambda: connections() <= before + 1, what="the connections to end")
    assert orrery.ask(creation(a_config_map("served"), "configmaps")).status == 201
