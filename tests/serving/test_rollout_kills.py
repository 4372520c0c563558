"""Twenty rollouts, and in each one a process is killed: the rollout converges, and no acknowledged write is lost.

The ledger's client speaks http to Daphne, which dies too: a request without an answer may have happened or not, but
not twice. Every kill must fall between the rollout's first and last revision, or the run proves nothing.
"""

import http.client
import json
import random
import threading
from typing import Any

import pytest

from cluster.models import Cluster
from tests.serving.installation import Installation, a_config_map, eventually
from tests.serving.ledger import Ledger, assert_one_history
from tests.serving.test_exactly_once import kill_between_commit_and_answer

DEPLOYMENTS = "/clusters/default/apis/apps/v1/namespaces/default/deployments"
CONFIG_MAPS = "/clusters/default/api/v1/namespaces/default/configmaps"
RUNS = 20


def ask(orrery: Installation, method: str, path: str, body: Any = None, media: str = "application/json") -> Any:
    """One request over http, answered with its status and body. Errors: OSError, http.client.HTTPException."""
    door = http.client.HTTPConnection("127.0.0.1", orrery.port, timeout=20)
    try:
        door.request(method, path, json.dumps(body) if body is not None else None, {"Content-Type": media})
        answer = door.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        door.close()


def patiently(orrery: Installation, method: str, path: str, body: Any = None, media: str = "application/json") -> Any:
    """The same, asked again while Daphne is being started."""

    def once() -> Any:
        try:
            return ask(orrery, method, path, body, media)
        except (OSError, http.client.HTTPException):
            return None

    return eventually(once, 20, f"an answer to {method} {path}")


class HttpLedger(Ledger):
    """Writes over http. A request that Daphne took to its grave stays at 0."""

    def write(self, name: str) -> int:
        self.told[name] = 0
        try:
            self.told[name], _ = ask(self.installation, "POST", CONFIG_MAPS, a_config_map(name))
        except (OSError, http.client.HTTPException):
            threading.Event().wait(0.05)
        return self.told[name]


def is_rolled_out(orrery: Installation) -> dict[str, Any] | None:
    _, found = patiently(orrery, "GET", f"{DEPLOYMENTS}/hello")
    status, wanted = found["status"], found["spec"]["replicas"]
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    is_done = status.get("observedGeneration") == found["metadata"]["generation"] and counts == [wanted] * 3
    return found if is_done else None


def revision() -> int:
    return Cluster.objects.get(name="default").revision


@pytest.mark.timeout(600)
def test_twenty_rollouts_survive_a_kill_each(orrery: Installation):
    orrery.ask({"type": "clock", "op": "speed", "value": 5})
    eventually(lambda: is_rolled_out(orrery), 60)
    between_commit_and_answer = 0
    ledgers = []
    for run in range(RUNS):
        dice, ledger = random.Random(run), HttpLedger(orrery)
        patch = {"spec": {"template": {"metadata": {"annotations": {"run": str(run)}}}}}
        media = "application/strategic-merge-patch+json"
        status, patched = patiently(orrery, "PATCH", f"{DEPLOYMENTS}/hello", patch, media)
        assert status == 200
        first = int(patched["metadata"]["resourceVersion"])
        ledger.write_in_background(writers=2, each=25, prefix=f"run-{run}")
        ledgers.append(ledger)
        wanted = first + dice.randrange(2, 12)
        eventually(lambda wanted=wanted: revision() >= wanted)

        before = revision()
        if run % 2:
            batch, was_between = kill_between_commit_and_answer(orrery, run)
            ledgers.append(batch)
            between_commit_and_answer += was_between
        else:
            victim = dice.choice(["owner", "owner", "daphne", "broker"])
            if victim == "owner":
                orrery.kill_owner_of("default")
            else:
                orrery.kill(victim)

        done = eventually(lambda: is_rolled_out(orrery), 60, f"rollout {run} to converge")
        last = int(done["metadata"]["resourceVersion"])
        assert first < before < last, f"run {run}: the kill came outside of the rollout"
        eventually(lambda ledger=ledger: ledger.is_finished, 60)

    assert between_commit_and_answer >= 5
    assert sum(ledger.count(lambda status: status == 201) for ledger in ledgers) > RUNS * 30
    for ledger in ledgers:
        ledger.check()
    assert_one_history("default")
