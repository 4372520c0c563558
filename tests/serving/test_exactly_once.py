"""Processes are killed, and nothing is lost and nothing happens twice. The kills are seeded; the processes are real."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable

import pytest

from cluster import inbox
from cluster.models import Cluster, DeadInput
from tests.serving.installation import Installation, a_config_map, creation, eventually
from tests.serving.ledger import Ledger, assert_one_history, creations, pause


@pytest.mark.parametrize("seed", [1, 2])
def test_writes_survive_workers_that_are_killed_in_the_middle(orrery: Installation, seed: int):
    dice = random.Random(seed)
    ledger = Ledger(orrery)
    ledger.write_in_background(writers=6, each=60)

    kills = 0
    while not ledger.is_finished and kills < 6:
        before = ledger.count(lambda status: status > 0)
        eventually(
            lambda before=before: ledger.is_finished or ledger.count(lambda s: s > 0) > before + dice.randrange(20)
        )
        orrery.kill_owner_of("default")
        kills += 1
    eventually(lambda: ledger.is_finished, 60)

    assert kills >= 4
    assert ledger.count(lambda status: status == 201) == 360
    ledger.check()
    assert_one_history("default")


def test_a_worker_killed_between_its_commit_and_its_answer_has_its_answer_sent_by_the_next(orrery: Installation):
    proven = 0
    for attempt in range(20):
        ledger, was_between = kill_between_commit_and_answer(orrery, attempt)
        proven += was_between

        assert set(ledger.told.values()) == {201}
        ledger.check()
        if proven == 5:
            break
    assert proven == 5
    assert_one_history("default")


def kill_between_commit_and_answer(orrery: Installation, attempt: int) -> tuple[Ledger, bool]:
    """The broker is stopped while a batch executes, so that it is committed then and nobody can be told; then the kill.

    Returns the ledger of the batch, and whether the broker was stopped in time (it can't be done but by being quick).
    """
    ledger, names = Ledger(orrery, size=2_000), [f"batch-{attempt}-{number}" for number in range(40)]
    owner, redis = eventually(lambda: orrery.owner_of("default")), inbox.bus().redis
    worker, broker = orrery.pids()[owner], orrery.pids()["broker"]
    os.kill(worker, signal.SIGSTOP)
    threads = [threading.Thread(target=ledger.write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    eventually(lambda: redis.llen(f"{inbox.PREFIX}in:default") >= len(names))
    os.kill(worker, signal.SIGCONT)
    while redis.llen(f"{inbox.PREFIX}proc:default") < len(names) and not ledger.count(bool):
        pass  # Every millisecond counts: the batch takes some twenty.
    threading.Event().wait(0.002)  # The worker must have got it.
    os.kill(broker, signal.SIGSTOP)
    try:
        was_between = is_committed(names, within=1.0) and not ledger.count(bool)
        os.kill(worker, signal.SIGKILL)
    finally:
        os.kill(broker, signal.SIGCONT)
    for thread in threads:
        thread.join(30)
    eventually(lambda: orrery.pids().get(owner, worker) != worker)
    return ledger, was_between


def is_committed(names: list[str], within: float) -> bool:
    """Are these creations all in the log, `within` seconds from now?"""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        log = creations("default")
        if all(name in log for name in names):
            return True
    return False


def test_a_broker_that_is_killed_loses_no_acknowledged_write(orrery: Installation):
    ledger = Ledger(orrery)
    ledger.write_in_background(writers=4, each=40)
    for _ in range(3):
        before = ledger.count(lambda status: status > 0)
        eventually(lambda before=before: ledger.is_finished or ledger.count(lambda s: s > 0) > before + 10)
        old = orrery.pids()["broker"]
        orrery.kill("broker")
        eventually(lambda old=old: orrery.pids().get("broker", old) != old)
    eventually(lambda: ledger.is_finished, 60)

    assert [answer for answer in ledger.told.items() if answer[1] != 201] == []
    assert len(ledger.told) == 160
    ledger.check()
    assert_one_history("default")


def test_a_life_with_kills_and_time_controls_is_replayed_to_the_same_digest(
    installed: Callable[..., Installation], tmp_path
):
    orrery = installed(WORKERS="2", ORRERY_HISTORY="10000000")  # At `max` an hour is over in seconds.
    ledger = Ledger(orrery)
    for number in range(6):
        assert ledger.write(f"entry-{number}") == 201
        orrery.ask({"type": "clock", "op": "speed", "value": [0.5, 3, 10, "max", 100, 1][number]})
        orrery.kill_owner_of("default")
    orrery.ask({"type": "clock", "op": "skip", "seconds": 45})
    orrery.ask({"type": "power-off", "node": "worker-2"})
    orrery.ask({"type": "clock", "op": "skip", "seconds": 120})
    assert pause(orrery).status == 200

    digest = json.loads(orrery.manage("cluster", "digest", "--json").stdout)
    (tmp_path / "life.json").write_text(orrery.manage("cluster", "export").stdout)
    orrery.environment["PYTHONHASHSEED"] = "4711"
    again = json.loads(orrery.manage("cluster", "replay", str(tmp_path / "life.json"), "--slice", "7", "--json").stdout)

    assert again == digest


def test_turns_as_celery_tasks_make_the_same_log(installed: Callable[..., Installation], tmp_path):
    orrery = installed(TURNS="tasks")
    ledger = Ledger(orrery)
    assert [ledger.write(f"entry-{number}") for number in range(5)] == [201] * 5
    assert orrery.ask({"type": "clock", "op": "skip", "seconds": 30}).status == 200
    assert pause(orrery).status == 200

    digest = json.loads(orrery.manage("cluster", "digest", "--json").stdout)
    (tmp_path / "life.json").write_text(orrery.manage("cluster", "export").stdout)
    again = json.loads(orrery.manage("cluster", "replay", str(tmp_path / "life.json"), "--json").stdout)

    assert again == digest
    assert digest["revision"] > 20


def test_a_request_that_was_given_up_never_runs(orrery: Installation):
    owner = eventually(lambda: orrery.owner_of("default"))
    others = [pid for name, pid in orrery.pids().items() if name.startswith("worker")]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)

    answer = orrery.ask(creation(a_config_map("too-late"), "configmaps"), timeout=1.0)
    for pid in others:
        os.kill(pid, signal.SIGCONT)

    assert owner
    assert answer.status == 504
    assert "will not run" in answer.json()["message"]
    assert DeadInput.objects.filter(reason=inbox.GIVEN_UP).count() == 1
    assert orrery.ask(creation(a_config_map("in-time"), "configmaps")).status == 201
    assert orrery.ask(creation(a_config_map("too-late"), "configmaps")).status == 201, (
        "it had not run, so the name is free"
    )


def test_an_owner_that_was_replaced_can_not_commit(orrery: Installation):
    """Somebody takes the next epoch in the database; the old owner notices at its commit and starts again from rows."""
    before = Cluster.objects.get(name="default").owner_epoch
    Cluster.objects.filter(name="default").update(owner_epoch=before + 1)

    assert orrery.ask(creation(a_config_map("after"), "configmaps")).status == 201

    assert Cluster.objects.get(name="default").owner_epoch > before + 1
    assert_one_history("default")


def test_an_inbox_with_a_thousand_requests_refuses_the_next(orrery: Installation):
    for name, pid in orrery.pids().items():
        if name.startswith("worker"):
            os.kill(pid, signal.SIGSTOP)
    inbox.bus().redis.rpush(f"{inbox.PREFIX}in:default", *[b"{}"] * inbox.LIMIT)

    answer = orrery.ask(creation(a_config_map("one-too-many"), "configmaps"))

    inbox.bus().redis.delete(f"{inbox.PREFIX}in:default")
    for name, pid in orrery.pids().items():
        if name.startswith("worker"):
            os.kill(pid, signal.SIGCONT)
    assert answer.status == 429
    assert answer.headers["Retry-After"] == "1"


def test_a_request_that_kills_its_worker_again_and_again_is_put_aside(orrery: Installation):
    """Twice its worker died while it ran (we say so in its counter); the third time it is refused, and life goes on."""
    identity, redis = inbox.new_id(), inbox.bus().redis
    message = inbox.encode_message(identity, creation(a_config_map("poison"), "configmaps"), "nobody")
    redis.hset(f"{inbox.PREFIX}attempts:default", identity, 2)
    redis.rpush(f"{inbox.PREFIX}proc:default", message)
    orrery.kill_owner_of("default")

    put_aside = eventually(lambda: DeadInput.objects.filter(pk=identity).first())

    assert put_aside.reason == "it stopped its worker 3 times"
    assert orrery.ask(creation(a_config_map("good"), "configmaps")).status == 201
    assert "poison" not in creations("default")
