"""Workers are killed while agents ship: every line arrives, in order, and none twice."""

import json
import random
import urllib.error
import urllib.parse
import urllib.request
from functools import partial
from typing import Any

import pytest

from cluster.addons import installer
from tests.builders import a_pod
from tests.serving.installation import Installation, creation, eventually
from tests.serving.test_postgres import on_postgres as on_postgres

KILLS = 5
SCRIPT = "i=0; while true; do i=$((i+1)); echo hello $i; sleep 0.2; done"
PLURALS = {"ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings", "DaemonSet": "daemonsets"}


def install(orrery: Installation, name: str) -> None:
    for manifest in installer.manifests(name):
        group = manifest["apiVersion"]
        plural = PLURALS.get(manifest["kind"], f"{manifest['kind'].lower()}s")
        namespace = manifest["metadata"].get("namespace")
        where = f"namespaces/{namespace}/{plural}" if namespace else plural
        path = f"/{'apis' if '/' in group else 'api'}/{group}/{where}"
        request: dict[str, Any] = {"type": "api", "method": "POST", "path": path, "query": ""}
        request |= {"body": json.dumps(manifest), "headers": {"content-type": "application/json"}}
        assert orrery.ask(request).status == 201


def numbers(orrery: Installation) -> list[int]:
    """What `web` has said, as the store knows it, oldest first; empty while there is no store."""
    asked = urllib.parse.urlencode({"query": '{pod="web"}', "limit": 5000, "direction": "forward"})
    url = f"http://127.0.0.1:{orrery.port}/clusters/default/loki/api/v1/query_range?{asked}"
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            result = json.loads(answer.read())["data"]["result"]
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return []
    return [int(text.split(" ")[1]) for stream in result for _, text in stream["values"]]


def has_more_than(orrery: Installation, count: int) -> bool:
    return len(numbers(orrery)) > count


@pytest.mark.django_db(transaction=True)
def test_killed_workers_lose_no_line_and_ship_none_twice(orrery: Installation):
    check_kills(orrery, KILLS)


def test_neither_do_they_on_postgres(on_postgres: Installation):
    check_kills(on_postgres, 2)


def check_kills(orrery: Installation, kills: int) -> None:
    for name in ("fluent-bit", "loki"):
        install(orrery, name)
    pod = a_pod("web", "busybox:1.36", command=["sh", "-c", SCRIPT])
    pod["metadata"]["namespace"] = "default"
    assert orrery.ask(creation(pod, "pods")).status == 201
    eventually(lambda: numbers(orrery), 90, "the first line")
    dice = random.Random(7)

    for _ in range(kills):
        enough = len(numbers(orrery)) + dice.randint(3, 9)
        eventually(partial(has_more_than, orrery, enough), 60, "further lines")
        orrery.kill_owner_of("default")

    seen = len(numbers(orrery))
    eventually(partial(has_more_than, orrery, seen + 10), 60, "lines after the last kill")
    said = numbers(orrery)
    assert said == list(range(1, len(said) + 1))
