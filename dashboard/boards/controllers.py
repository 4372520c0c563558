"""kube-controller-manager: its loops and their queues."""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import COUNT, PER_SECOND, Board, Graph, Line, Stat

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
            _("What is still to be done"),
            _("Pods that Deployments miss: the gap that these loops close."),
            COUNT,
            (Line("sum by (deployment) (kube_deployment_status_replicas_unavailable) > 0", "{{deployment}}"),),
        ),
        Graph(
            _("Who leads"),
            _("Of several managers one has the lease and works, the others wait for it to run out."),
            COUNT,
            (
                Line(
                    'sum by (instance) (leader_election_master_status{name="kube-controller-manager"})', "{{instance}}"
                ),
            ),
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
