"""etcd: is there a leader, how much is stored, how fast is the disk?"""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import BYTES, COUNT, PER_SECOND, Board, Graph, Line, Stat

BOARD = Board(
    name="etcd",
    title="etcd",
    about=_("A write counts when most members have it on disk. Without a majority nothing can be written at all."),
    stats=(
        Stat(_("Members that see a leader"), "sum(etcd_server_has_leader)"),
        Stat(_("Size of the database"), "max(etcd_mvcc_db_total_size_in_bytes)", BYTES),
        Stat(_("Members out of reach"), 'count(up{job=~".*etcd.*"} == 0) or vector(0)', bad_if_any=True),
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
            _("Every write is proposed, and committed once most members have it; each member applies it after that."),
            PER_SECOND,
            (
                Line("max(rate(etcd_server_proposals_committed_total[$__rate_interval]))", _("committed")),
                Line("min(rate(etcd_server_proposals_applied_total[$__rate_interval]))", _("applied by the slowest")),
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
            _("Revisions"),
            _("Every write is one revision more. What is older than the compacted one is forgotten."),
            COUNT,
            (
                Line("max(etcd_debugging_mvcc_current_revision)", _("newest")),
                Line("max(etcd_debugging_mvcc_compact_revision)", _("compacted")),
            ),
        ),
        Graph(
            _("Keys"),
            _("One for each object of the cluster, and a few of etcd's own."),
            COUNT,
            (Line("max(etcd_debugging_mvcc_keys_total)", _("keys")),),
        ),
    ),
)
