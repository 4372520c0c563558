"""Compaction: history is kept for a simulated hour, then forgotten up to a checkpoint, oldest first.

As in etcd, compacting at revision C keeps of every key the newest revision at or before C: the state at C can still be
told, the way there can't. C is always a checkpoint's revision, so every moment after it can still be restored. Rows go
in small portions, one a turn, because deleting 50,000 at once would stop every other writer for seconds.

Mirrors:  etcd/server/storage/mvcc/kvstore_compaction.go
Left out: forgetting lease renewals sooner than other keys (a checkpoint in between needs them).
"""

from django.conf import settings
from django.db import connection

from cluster.models import REVISION_BITS, Checkpoint, Cluster

HOUR = 3_600  # Simulated seconds of history that are kept unless the settings say otherwise.
KEEP_REVISIONS = 300_000  # About 200 MB; a busy cluster keeps less than an hour.
PORTION = 1_000  # Rows a turn.


def target(cluster: int, now: int, revision: int) -> int:
    """The revision up to which history may be forgotten now; 0: none of it."""
    keep = getattr(settings, "HISTORY", HOUR) * 1_000_000
    old = Checkpoint.objects.filter(cluster_id=cluster)
    aged = old.filter(sim_time__lte=now - keep).order_by("-step").values_list("revision", flat=True).first()
    excess = (
        old.filter(revision__lte=revision - KEEP_REVISIONS).order_by("-step").values_list("revision", flat=True).first()
    )
    return max(aged or 0, excess or 0)


def compact(cluster: int, upto: int) -> bool:
    """Forget one portion of the superseded revisions at or before `upto`. True: there is more. Runs inside a turn's
    transaction, so it is fenced like everything else.
    """
    base = cluster << REVISION_BITS
    Cluster.objects.filter(pk=cluster, compacted__lt=upto).update(compacted=upto)
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM cluster_revision WHERE id IN ("
            " SELECT r.id FROM cluster_revision r WHERE r.id > %s AND r.id <= %s AND (r.verb = 'delete' OR EXISTS ("
            "  SELECT 1 FROM cluster_revision n WHERE n.cluster_id = r.cluster_id AND n.key = r.key"
            "  AND n.id > r.id AND n.id <= %s)) LIMIT %s)",
            [base, base | upto, base | upto, PORTION],
        )
        if cursor.rowcount >= PORTION:
            return True
    older = Checkpoint.objects.filter(cluster_id=cluster, revision__lt=upto)
    older.delete()
    return False
