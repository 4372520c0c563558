"""kube-scheduler: who waits, where, and how its tries end."""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import COUNT, PER_SECOND, SECONDS, Board, Graph, Line, Stat, quantiles

BOARD = Board(
    name="scheduler",
    title=_("Scheduler"),
    about=_("Pods without a node wait in its queues. It takes one, tries all nodes, and binds it or puts it back."),
    stats=(
        Stat(_("Pods in its queues"), "sum(scheduler_pending_pods)"),
        Stat(_("Unschedulable"), 'sum(scheduler_pending_pods{queue="unschedulable"})', bad_if_any=True),
        Stat(_("Bound in all"), 'sum(scheduler_schedule_attempts_total{result="scheduled"})'),
    ),
    graphs=(
        Graph(
            _("Pods that wait, by queue"),
            _("active: tried next. backoff: pausing after a failure. unschedulable: until something changes."),
            COUNT,
            (Line("sum by (queue) (scheduler_pending_pods)", "{{queue}}"),),
        ),
        Graph(
            _("Tries by result"),
            _("unschedulable: no node fits. error: something went wrong on the way, such as a lost API server."),
            PER_SECOND,
            (Line("sum by (result) (rate(scheduler_schedule_attempts_total[$__rate_interval]))", "{{result}}"),),
        ),
        Graph(
            _("Duration of a try"),
            _("From taking the pod off the queue to its binding: filter, score, bind."),
            SECONDS,
            quantiles("scheduler_scheduling_attempt_duration_seconds"),
        ),
        Graph(
            _("From queue to node"),
            _("All tries and pauses of a pod together: what its owner waits for."),
            SECONDS,
            quantiles("scheduler_pod_scheduling_sli_duration_seconds"),
        ),
        Graph(
            _("What brings pods into the queues"),
            _("Events move pods: a new node or a deleted pod gives those that were unschedulable another chance."),
            PER_SECOND,
            (Line("sum by (event) (rate(scheduler_queue_incoming_pods_total[$__rate_interval]))", "{{event}}"),),
        ),
        Graph(
            _("Plugins that said no"),
            _("Pods in the queue of unschedulable ones, by the plugin that rejected them."),
            COUNT,
            (Line("sum by (plugin) (scheduler_unschedulable_pods)", "{{plugin}}"),),
        ),
    ),
)
