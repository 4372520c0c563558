"""What the machine room shows: Celery workers, who holds which cluster, what waits, the broker, this web
server.

Read from Redis's keys (see the head of cluster/inbox.py) and from committed rows; nobody is asked, so
looking costs the workers nothing.
"""

import os
import platform
import sys
import time
from collections import Counter
from typing import Any

import django
import redis
from django.conf import settings
from django.db import connection
from django.utils.translation import gettext as _

from cluster.inbox import PREFIX, bus
from cluster.models import REVISION_BITS, Cluster, Revision
from dashboard import stream

LATELY = 60_000_000  # Simulated microseconds.
STARTED = time.monotonic()


def look(cluster: Cluster) -> dict[str, Any]:
    names = list(Cluster.objects.order_by("name").values_list("name", flat=True))
    try:
        workers, waiting, broker = _bus_facts(names)
    except redis.RedisError as error:
        workers, waiting, broker = [], {}, [(_("Broker"), f"{_('unreachable')}: {error}")]
    facts = [*broker, (_("Database"), connection.vendor), *_own_facts()]
    return {
        "workers": workers,
        "clusters": _clusters(waiting),
        "components": _components(cluster),
        "facts": facts,
    }


def _bus_facts(names: list[str]) -> tuple[list[dict[str, Any]], dict[str, int], list[tuple[str, str]]]:
    server = bus().redis
    held: dict[str, list[str]] = {}
    for name in names:
        owner = _text(server.get(f"{PREFIX}own:{name}"))
        if owner:
            held.setdefault(owner.partition(":")[2], []).append(name)
    known = sorted({_text(name) for name in server.zrange(f"{PREFIX}load", 0, -1)} | set(held))
    workers = [
        {"name": w, "alive": bool(server.exists(f"{PREFIX}alive:{w}")), "clusters": held.get(w, [])}
        for w in known
    ]
    waiting = {name: int(server.llen(f"{PREFIX}in:{name}")) for name in names}
    info = server.info()
    kind = _("embedded") if settings.EMBEDDED_REDIS else _("yours")
    version = info.get("valkey_version") or info["redis_version"]
    broker = [
        (_("Broker"), f"{info.get('server_name', 'redis')} {version}, {kind}"),
        (_("Broker memory"), f"{info['used_memory'] / 2**20:.1f} MiB"),
        (_("Broker commands a second"), str(info["instantaneous_ops_per_sec"])),
        (_("Broker clients"), str(info["connected_clients"])),
    ]
    return workers, waiting, broker


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _own_facts() -> list[tuple[str, str]]:
    followers = sum(len(hub.followers) for hub in stream.hubs())
    minutes = int(time.monotonic() - STARTED) // 60
    return [
        ("Daphne", f"pid {os.getpid()}, {minutes} min, Django {django.get_version()}"),
        (_("Pages on the live stream"), str(followers)),
        ("Python", f"{platform.python_version()} ({sys.platform})"),
    ]


def _clusters(waiting: dict[str, int]) -> list[dict[str, Any]]:
    return [
        {
            "name": row.name,
            "epoch": row.owner_epoch,
            "step": row.step,
            "revision": row.revision,
            "waiting": waiting.get(row.name, 0),
            "state": row.stopped
            or (_("asleep") if row.asleep else _("paused") if row.paused else _("running")),
        }
        for row in Cluster.objects.order_by("name")
    ]


def _components(cluster: Cluster) -> list[dict[str, Any]]:
    """Who wrote how much in the last simulated minute."""
    first, last = cluster.pk << REVISION_BITS, (cluster.pk + 1) << REVISION_BITS
    newest = (
        Revision.objects.filter(id__gt=first, id__lt=last)
        .order_by("-id")
        .values_list("actor", "sim_time")[:5000]
    )
    writes = Counter(actor for actor, sim_time in newest if sim_time > cluster.sim_now - LATELY)
    seconds = max(min(LATELY, cluster.sim_now) / 1e6, 1)
    return [{"name": name, "writes": n, "rate": f"{n / seconds:.2f}"} for name, n in writes.most_common(40)]
