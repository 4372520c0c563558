"""kube-controller-manager: its loops and their queues."""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import COUNT, PER_SECOND, SECONDS, Board, Graph, Line, Stat, quantiles

JOB = '{job="kube-controller-manager"}'

BOARD = Board(
    name="controllers",
    title=_("Controllers"),
    about=_("Many loops, one queue each. A queue that only grows belongs to a controller that does not keep up."),
    stats=(
        Stat(_("Keys that wait"), f"sum(workqueue_depth{JOB})"),
        Stat(_("Keys a second"), f"sum(rate(workqueue_adds_total{JOB}[$__rate_interval]))", PER_SECOND),
    ),
    graphs=(
        Graph(
            _("Keys that wait, by queue"),
            _("A key is the name of an object to look at. The same key twice is one entry."),
            COUNT,
            (Line(f"sum by (name) (workqueue_depth{JOB})", "{{name}}"),),
        ),
        Graph(
            _("Keys added, by queue"),
            _("Every change that a controller watches becomes a key: this is what wakes it up."),
            PER_SECOND,
            (Line(f"sum by (name) (rate(workqueue_adds_total{JOB}[$__rate_interval]))", "{{name}}"),),
        ),
        Graph(
            _("Time in the queue"),
            _("How long a key waited until a worker took it."),
            SECONDS,
            quantiles("workqueue_queue_duration_seconds", where=JOB),
        ),
        Graph(
            _("Time of the work"),
            _("How long one look at an object took, its requests to the API server included."),
            SECONDS,
            quantiles("workqueue_work_duration_seconds", where=JOB),
        ),
        Graph(
            _("Tries again, by queue"),
            _("A loop that failed puts its key back and pauses, longer each time."),
            PER_SECOND,
            (Line(f"sum by (name) (rate(workqueue_retries_total{JOB}[$__rate_interval]))", "{{name}}"),),
        ),
        Graph(
            _("Its requests, by answer"),
            _("What the API server answered to all of its controllers."),
            PER_SECOND,
            (Line(f"sum by (code) (rate(rest_client_requests_total{JOB}[$__rate_interval]))", "{{code}}"),),
        ),
    ),
)
