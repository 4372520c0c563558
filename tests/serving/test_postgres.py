"""The same installation on PostgreSQL: the same life has the same digest, and killed workers lose nothing."""

import json
from collections.abc import Callable, Iterator

import pytest

from tests.serving.installation import Installation, a_config_map, creation, eventually
from tests.serving.ledger import Ledger, pause
from tests.serving.postgres import a_postgres, binaries


@pytest.fixture
def on_postgres(installed: Callable[..., Installation]) -> Iterator[Installation]:
    programs = binaries()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with a_postgres(programs) as url:
        installation = installed(DATABASE_URL=url)
        yield installation
        installation.stop()


def test_a_life_lived_on_sqlite_has_the_same_digest_on_postgres(on_postgres: Installation, tmp_path):
    ledger = Ledger(on_postgres)
    assert [ledger.write(f"entry-{number}") for number in range(4)] == [201] * 4
    assert on_postgres.ask({"type": "clock", "op": "skip", "seconds": 30}).status == 200
    on_postgres.kill_owner_of("default")
    assert ledger.write("after-the-kill") == 201
    assert pause(on_postgres).status == 200

    life = tmp_path / "life.json"
    life.write_text(on_postgres.manage("cluster", "export").stdout)
    lived = json.loads(on_postgres.manage("cluster", "digest", "--json").stdout)
    into_rows = on_postgres.manage("cluster", "replay", str(life), "--slice", "3", "--into", "copy", "--json")
    on_sqlite = Installation().manage("cluster", "replay", str(life), "--into", "copy", "--json")

    assert lived["revision"] > 20
    assert json.loads(into_rows.stdout) == lived
    assert json.loads(on_postgres.manage("cluster", "digest", "copy", "--json").stdout) == lived
    assert json.loads(on_sqlite.stdout) == lived
    assert json.loads(Installation().manage("cluster", "digest", "copy", "--json").stdout) == lived


def test_writes_survive_a_killed_worker_on_postgres(on_postgres: Installation):
    ledger = Ledger(on_postgres)
    ledger.write_in_background(writers=4, each=40)
    for _ in range(3):
        before = ledger.count(lambda status: status > 0)
        eventually(lambda before=before: ledger.is_finished or ledger.count(lambda s: s > 0) > before + 10)
        on_postgres.kill_owner_of("default")
    eventually(lambda: ledger.is_finished, 60)

    assert ledger.count(lambda status: status == 201) == 160
    listed = [on_postgres.ask(creation(a_config_map(name), "configmaps")).status for name in ledger.told]
    assert listed == [409] * 160, "each is there, once"
