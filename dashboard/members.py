"""etcd's members, from committed rows: for the panel and for `manage.py etcd status`."""

from typing import Any

import orjson

from cluster.models import Cluster, Member

LOG, STATE = "log", "quorum"


def look(cluster: Cluster) -> dict[str, Any]:
    """{members: a row each, quorum, alive, writable, index}; no members: the cluster has not run yet."""
    prefix = f"{cluster.pk}:"
    stored = Member.objects.filter(id__startswith=prefix).order_by("id").values_list("id", "body")
    rows = {key.removeprefix(prefix): orjson.loads(bytes(body)) for key, body in stored}
    log, state = rows.pop(LOG, {"index": 0, "revision": 0}), rows.pop(STATE, {"writable": True, "leader": ""})
    index = log["index"] + cluster.revision - log["revision"]
    members = [
        {
            **row,
            "name": name,
            "cut": row["side"] != 0,
            "leads": name == state["leader"],
            "index": index if row["index"] is None else row["index"],
            "lag": 0 if row["index"] is None else max(index - row["index"], 0),
        }
        for name, row in rows.items()
    ]
    return {
        "members": members,
        "quorum": len(members) // 2 + 1,
        "alive": sum(row["on"] and not row["cut"] for row in members),
        "writable": state["writable"],
        "leader": state["leader"],
        "index": index,
    }
