"""etcd: is there a leader, how much is stored, how fast is the disk?"""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import BYTES, COUNT, PER_SECOND, SECONDS, Board, Graph, Line, Stat, quantiles

BOARD = Board(
    name="etcd",
    title="etcd",
    about=_("A write counts when most members have it on disk. Without a majority nothing can be written at all."),
    stats=(
        Stat(_("Members that see a leader"), "sum(etcd_server_has_leader)"),
        Stat(_("Size of the database"), "max(etcd_mvcc_db_total_size_in_bytes)", BYTES),
        Stat(_("Proposals that failed"), "sum(increase(etcd_server_proposals_failed_total[5m]))", bad_if_any=True),
    ),
    graphs=(
        Graph(
            _("Has a leader"),
            _("1 for each member that knows who leads. 0 means: this one can't serve writes."),
            COUNT,
            (Line("sum by (instance) (etcd_server_has_leader)", "{{instance}}"),),
        ),
        Graph(
            _("Changes of the leader"),
            _("A few are normal, many mean slow disks or a bad network: members miss heartbeats and vote anew."),
            COUNT,
            (Line("sum by (instance) (etcd_server_leader_changes_seen_total)", "{{instance}}"),),
        ),
        Graph(
            _("Proposals"),
            _("Every write is proposed, then committed once most members have it. Pending ones wait for that."),
            PER_SECOND,
            (
                Line("max(rate(etcd_server_proposals_committed_total[$__rate_interval]))", _("committed")),
                Line("sum(etcd_server_proposals_pending)", _("pending")),
            ),
        ),
        Graph(
            _("Size of the database"),
            _("Old revisions stay until compaction. In use is what is left of it after that."),
            BYTES,
            (
                Line("max(etcd_mvcc_db_total_size_in_bytes)", _("on disk")),
                Line("max(etcd_mvcc_db_total_size_in_use_in_bytes)", _("in use")),
            ),
        ),
        Graph(
            _("Writing the log to disk"),
            _("Each write waits for an fsync. Above 10 ms at p99 etcd's own guide asks for a better disk."),
            SECONDS,
            quantiles("etcd_disk_wal_fsync_duration_seconds"),
        ),
        Graph(
            _("Keys"),
            _("One for each object of the cluster, and a few of etcd's own."),
            COUNT,
            (Line("max(etcd_debugging_mvcc_keys_total)", _("keys")),),
        ),
    ),
)
