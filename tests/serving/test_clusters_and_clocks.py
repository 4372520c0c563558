"""Several clusters, and control over their time, through the same inbox as everything else."""

import json
import threading
import time
from collections.abc import Callable

from cluster import inbox
from cluster.models import Cluster
from tests.serving.installation import Installation, a_config_map, creation, eventually
from tests.serving.ledger import assert_one_history

SECOND = 1_000_000


def row(name: str = "default") -> Cluster:
    return Cluster.objects.get(name=name)


def test_clusters_are_made_reset_and_deleted_and_revisions_never_go_down(orrery: Installation):
    assert orrery.manage("cluster", "create", "second", "--nodes", "2", "--seed", "7").returncode == 0
    assert orrery.ask(creation(a_config_map("first-life"), "configmaps"), "second").status == 201
    first_life = eventually(lambda: row("second").revision)

    assert orrery.manage("cluster", "reset", "second").returncode == 0
    reset = row("second")
    assert reset.first_revision >= first_life
    assert reset.seed == 7
    assert orrery.ask(creation(a_config_map("first-life"), "configmaps"), "second").status == 201
    assert_one_history("second")

    last = row("second").revision
    assert orrery.manage("cluster", "delete", "second").returncode == 0
    assert not Cluster.objects.filter(name="second").exists()
    assert orrery.ask(creation(a_config_map("x"), "configmaps"), "second").status == 404
    assert orrery.manage("cluster", "create", "second").returncode == 0
    assert row("second").first_revision >= last
    names = [one["name"] for one in json.loads(orrery.manage("cluster", "list", "--json").stdout)]
    assert names == ["default", "second"]


def test_two_clusters_of_one_seed_and_one_birthday_live_the_same_life(orrery: Installation):
    request = {"type": "create", "seed": 5, "epoch": 1_800_000_000 * SECOND, "options": {"nodes": 2}, "speed": 0.1}
    digests = []
    for name in ("twin-a", "twin-b"):
        assert orrery.ask(request, name).status == 201
        assert orrery.ask({"type": "clock", "op": "pause"}, name).status == 200
        assert orrery.ask({"type": "clock", "op": "skip", "seconds": 60}, name).status == 200
        digests.append(json.loads(orrery.manage("cluster", "digest", name, "--json").stdout))

    assert digests[0]["revision"] > 20
    # The pause came a few milliseconds sooner or later, so only the steps up to the same time can be compared.
    logs = [
        list(row(name).log.values_list("key", "verb", "step", "sim_time").order_by("id"))
        for name in ("twin-a", "twin-b")
    ]
    until = min(log[-1][3] for log in logs)
    assert [e for e in logs[0] if e[3] <= until] == [e for e in logs[1] if e[3] <= until]


def test_a_paused_clock_stands_still_and_writes_say_so(orrery: Installation):
    assert orrery.manage("clock", "pause").returncode == 0
    frozen = row().sim_now

    answer = orrery.ask(creation(a_config_map("frozen"), "configmaps"))

    assert answer.headers["Warning"] == '299 - "this cluster\'s clock is paused"'
    assert row().sim_now == frozen
    assert orrery.manage("clock", "resume").returncode == 0
    answer = orrery.ask(creation(a_config_map("thawed"), "configmaps"))
    assert "Warning" not in answer.headers
    eventually(lambda: row().sim_now > frozen, what="the clock to go on")
    assert row().sim_now < frozen + 20 * SECOND, "nothing is caught up"


def test_a_skip_is_answered_when_the_time_has_come_and_a_paused_clock_stays_paused(orrery: Installation):
    orrery.manage("clock", "pause")
    before = row().sim_now

    skipped = json.loads(orrery.manage("clock", "skip", "90", "--json").stdout)

    assert skipped["now"] == row().sim_now == before + 90 * SECOND
    assert row().paused


def test_a_step_takes_one_item(orrery: Installation):
    orrery.manage("clock", "pause")
    before = row().step

    stepped = json.loads(orrery.manage("clock", "step", "--json").stdout)

    assert stepped["step"] == row().step == before + 1


def test_a_followed_world_commits_its_horizon_many_times_a_second(orrery: Installation):
    horizons = set()
    deadline = time.monotonic() + 15  # Unfollowed, its leases and looks at nodes move it nine times or less.
    while len(horizons) < 12 and time.monotonic() < deadline:
        inbox.follow("default")
        horizons.add(row().sim_now)
        threading.Event().wait(0.01)

    assert len(horizons) >= 12


def test_a_cluster_nobody_looks_at_falls_asleep_and_a_follower_or_a_write_wakes_it(
    installed: Callable[..., Installation],
):
    orrery = installed(ORRERY_SLEEP_AFTER="1")
    eventually(lambda: row().asleep)
    slept_at = row().sim_now
    eventually(lambda: not orrery.owner_of("default"), what="the worker to let go of it")

    assert orrery.ask(creation(a_config_map("alarm"), "configmaps")).status == 201
    assert not row().asleep
    assert row().sim_now < slept_at + 5 * SECOND, "what was slept through is not caught up"
    eventually(lambda: row().asleep)
    eventually(lambda: inbox.follow("default") or not row().asleep)


def test_an_idle_installation_costs_next_to_nothing(orrery: Installation):
    """The aims are 1 % of a core and 320 MB; a busy machine gets twice the first."""
    settled = time.monotonic() + 5
    eventually(lambda: time.monotonic() > settled)
    processes = orrery.processes()
    before = sum(sum(process.cpu_times()[:2]) for process in processes)
    began = time.monotonic()
    eventually(lambda: time.monotonic() > began + 6)
    used = sum(sum(process.cpu_times()[:2]) for process in processes) - before

    assert used / (time.monotonic() - began) < 0.03
    assert sum(process.memory_full_info().pss for process in processes) < 320_000_000
