"""A look into etcd: keys, and every revision that a key had. Read-only, as etcdctl get and watch would show
it.
"""

from typing import Any

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from cluster.models import REVISION_BITS, Revision, StoredObject
from dashboard import members
from dashboard.panels.panel import Panel, View
from dashboard.panels.tab_yaml import coloured

KEYS = 300
REVISIONS = 60
ROLES = {  # As etcd's own logs call them.
    "follower": gettext_noop("follower"),
    "pre-candidate": gettext_noop("pre-candidate"),
    "candidate": gettext_noop("candidate"),
    "leader": gettext_noop("leader"),
}


def context(view: View) -> dict[str, Any]:
    """`prefix`: keys that begin so; `q`: words in the key; `open`: the key whose revisions are shown; `rev`:
    one of them.
    """
    words, chosen = view.wish("q").strip(), view.wish("open")
    keys = living_keys(view, words)
    log = revisions(view, chosen) if chosen else []
    number = view.wish("rev")
    shown = next((row for row in log if str(row["number"]) == number), log[0] if log else None)
    return {
        "q": words,
        "keys": keys[:KEYS],
        "more": max(len(keys) - KEYS, 0),
        "open": chosen,
        "log": log,
        "shown": shown,
        "value": coloured(orjson.loads(shown["value"])) if shown else "",
        "revision": view.cluster.revision,
        "compacted": view.cluster.compacted,
        "group": group_of(view),
    }


def group_of(view: View) -> dict[str, Any]:
    """The members (see members.look), each with its role in the reader's language as `said`."""
    found = members.look(view.cluster)
    return {**found, "members": [{**row, "said": _(ROLES[row["role"]])} for row in found["members"]]}


def living_keys(view: View, words: str) -> list[dict[str, Any]]:
    low, high = f"{view.cluster.pk}:", f"{view.cluster.pk};"
    stored = StoredObject.objects.filter(pk__gte=low, pk__lt=high)
    if words:
        stored = stored.filter(pk__contains=words)
    rows = stored.order_by("pk").values_list("pk", "revision")[: KEYS * 4]
    mask = (1 << REVISION_BITS) - 1
    return [{"key": pk.removeprefix(low), "revision": revision & mask} for pk, revision in rows]


def revisions(view: View, key: str) -> list[dict[str, Any]]:
    """Newest first: who wrote, when, why."""
    rows = Revision.objects.filter(cluster_id=view.cluster.pk, key=key).order_by("-id")[:REVISIONS]
    return [
        {
            "number": row.number,
            "verb": row.verb,
            "actor": row.actor,
            "at": row.sim_time,
            "version": row.version,
            "causes": ", ".join(orjson.loads(row.causes)[:4]),
            "value": bytes(row.value),
            "size": len(row.value),
        }
        for row in rows
    ]


PANEL = Panel("etcd", context, "etcd", "database")
