"""What the machine room shows: Celery workers, the clusters they hold, each component's steps, broker and Daphne.

Workers tell about themselves in Redis (`inbox.room`), and the rest is committed rows; nobody is asked, so looking
costs the workers nothing. Rates are differences between two looks.
"""

import os
import platform
import sys
import time
from typing import Any

import django
import redis
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from cluster import inbox
from cluster.inbox import PREFIX, bus
from cluster.models import Cluster
from dashboard import stream

MEBIBYTE = 1 << 20
FRESH = 30.0  # Seconds: an older look is no base for a rate.
STARTED = time.monotonic()
_looks: dict[str, tuple[float, dict[str, int]]] = {}  # Cluster to its last look: when, and steps by component.


def look(cluster: Cluster) -> dict[str, Any]:
    rows = list(Cluster.objects.order_by("name"))
    room: dict[str, dict[str, Any]] = {}
    waiting: dict[str, int] = {}
    try:
        room = inbox.room()
        waiting = {row.name: int(bus().redis.llen(f"{PREFIX}in:{row.name}")) for row in rows}
        broker = _broker_facts()
    except redis.RedisError as error:
        broker = [(_("Broker"), f"{_('unreachable')}: {error}")]
    return {
        "workers": [_worker(name, words) for name, words in sorted(room.items())],
        "clusters": [_cluster(row, room, waiting.get(row.name, 0)) for row in rows],
        "components": _components(cluster.name, room),
        "facts": [*broker, (_("Database"), connection.vendor), *_own_facts()],
    }


def _worker(name: str, words: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "pid": words["pid"],
        "memory": f"{words['memory'] / MEBIBYTE:.0f} MiB",
        "clusters": sorted(words["clusters"]),
    }


def _cluster(row: Cluster, room: dict[str, dict[str, Any]], waiting: int) -> dict[str, Any]:
    own = _account(row.name, room)
    state = _("asleep") if row.asleep else _("paused") if row.paused else _("running")
    return {
        "name": row.name,
        "epoch": row.owner_epoch,
        "turns": own.get("turns", 0),
        "step": row.step,
        "revision": row.revision,
        "waiting": waiting,
        "state": own.get("trouble") or row.stopped or state,
    }


def _account(name: str, room: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the worker that holds cluster `name` says about it."""
    for words in room.values():
        if name in words["clusters"]:
            return dict(words["clusters"][name])
    return {}


def _components(name: str, room: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps that each component took since its worker holds the cluster, and how many a second lately."""
    steps: dict[str, int] = _account(name, room).get("steps", {})
    now = time.monotonic()
    then, before = _looks.get(name, (now, steps))
    if now - then > FRESH:
        then, before = now, steps
    if now - then > 1.0 or name not in _looks:
        _looks[name] = (now, dict(steps))
    seconds = max(now - then, 1.0)
    rows: list[dict[str, Any]] = [
        {"name": component, "steps": count, "rate": f"{max(count - before.get(component, 0), 0) / seconds:.1f}"}
        for component, count in steps.items()
    ]
    return sorted(rows, key=lambda row: (-row["steps"], row["name"]))[:60]


def _broker_facts() -> list[tuple[str, str]]:
    info: dict[str, Any] = bus().redis.info()  # type: ignore[assignment]
    kind = _("embedded") if settings.EMBEDDED_REDIS else _("yours")
    version = info.get("valkey_version") or info["redis_version"]
    return [
        (_("Broker"), f"{info.get('server_name', 'redis')} {version}, {kind}"),
        (_("Broker memory"), f"{info['used_memory'] / MEBIBYTE:.1f} MiB"),
        (_("Broker commands a second"), str(info["instantaneous_ops_per_sec"])),
        (_("Broker clients"), str(info["connected_clients"])),
    ]


def _own_facts() -> list[tuple[str, str]]:
    followers = sum(len(hub.followers) for hub in stream.hubs())
    minutes = int(time.monotonic() - STARTED) // 60
    return [
        ("Daphne", f"pid {os.getpid()}, {minutes} min, Django {django.get_version()}"),
        (_("Pages on the live stream"), str(followers)),
        ("Python", f"{platform.python_version()} ({sys.platform})"),
    ]
