"""May this server answer from etcd now? Without a quorum it may not: GETs and LISTs fail, as the real ones do.

Reads that ask for any version (resourceVersion=0) are answered from a cache in a real server, and here, too; watches
stay open and hear nothing.

What is known is kept for a moment: a row more for each GET would be felt.
"""

import time

from cluster.apiserver.quorum import TIMED_OUT
from cluster.gateway import pool
from cluster.gateway.http import Request
from cluster.objects import errors

FRESH = 0.2  # Seconds.
KEPT = 1_000  # Clusters.
_known: dict[str, tuple[float, bool]] = {}


def is_there(cluster: str) -> bool:
    """Has etcd a leader that a majority hears? True of clusters that nobody knows: others say so."""
    now = time.monotonic()
    known = _known.get(cluster)
    if known is None or now - known[0] > FRESH:
        if len(_known) >= KEPT:
            _known.clear()
        known = _known[cluster] = (now, pool.reader().has_quorum(cluster))
    return known[1]


def demand(request: Request) -> None:
    """Errors: the real server's, if the answer would have to come from etcd and etcd can't give it."""
    if request.query("resourceVersion") != "0" and not is_there(request.cluster):
        raise errors.ApiError(TIMED_OUT)
