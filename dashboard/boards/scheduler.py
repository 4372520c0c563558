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
            _("Tries until a pod had its node"),
            _("One is the rule. More means: at first no node had room for it."),
            COUNT,
            quantiles("scheduler_pod_scheduling_attempts"),
        ),
        Graph(
            _("Preemptions"),
            _("Tries to make room for a pod of a higher priority by evicting others."),
            PER_SECOND,
            (Line("sum(rate(scheduler_preemption_attempts_total[$__rate_interval]))", _("tries")),),
        ),
        Graph(
            _("Who leads"),
            _("Of several schedulers one has the lease and works, the others wait for it to run out."),
            COUNT,
            (Line('sum by (instance) (leader_election_master_status{name="kube-scheduler"})', "{{instance}}"),),
        ),
    ),
)
