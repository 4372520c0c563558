"""kube-apiserver: how much is asked, how fast it answers, what it refuses."""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import COUNT, PER_SECOND, SECONDS, Board, Graph, Line, Stat, quantiles

SHORT = '{verb!~"WATCH|CONNECT"}'  # A watch lasts minutes: it says nothing about speed.

BOARD = Board(
    name="api-server",
    title=_("API server"),
    about=_("Everything goes through it. If it is slow, all are."),
    stats=(
        Stat(_("Requests a second"), "sum(rate(apiserver_request_total[$__rate_interval]))", PER_SECOND),
        Stat(
            _("Server errors a second"),
            'sum(rate(apiserver_request_total{code=~"5.."}[$__rate_interval])) or 0 * sum(up{job="apiserver"})',
            PER_SECOND,
            bad_if_any=True,
        ),
        Stat(_("Objects"), "sum(apiserver_resource_objects)"),
    ),
    graphs=(
        Graph(
            _("Requests by verb"),
            _("An idle cluster is never silent: each kubelet renews its lease every ten seconds."),
            PER_SECOND,
            (Line("sum by (verb) (rate(apiserver_request_total[$__rate_interval]))", "{{verb}}"),),
        ),
        Graph(
            _("Answers that were refusals"),
            _("409 is normal: two writers, one was too late and reads again. 5xx is not."),
            PER_SECOND,
            (Line('sum by (code) (rate(apiserver_request_total{code=~"[45].."}[$__rate_interval]))', "{{code}}"),),
        ),
        Graph(
            _("Duration of requests"),
            _("Half of them were faster than p50, 99 of 100 faster than p99. Watches are left out."),
            SECONDS,
            quantiles("apiserver_request_duration_seconds", where=SHORT),
        ),
        Graph(
            _("Requests under way"),
            _("Too many at once and newcomers wait, or are told 429: come again later."),
            COUNT,
            (Line("sum by (request_kind) (apiserver_current_inflight_requests)", "{{request_kind}}"),),
        ),
        Graph(
            _("Open watches"),
            _("A client holds one for each kind that it cares about, instead of asking again and again."),
            COUNT,
            (Line('sum by (resource) (apiserver_longrunning_requests{verb="WATCH"})', "{{resource}}"),),
        ),
        Graph(
            _("Objects by kind"),
            _("What etcd holds. Events, and Jobs that nobody cleans up, are the usual surprise."),
            COUNT,
            (Line("sum by (resource) (apiserver_resource_objects)", "{{resource}}"),),
        ),
        Graph(
            _("Requests by resource"),
            _("Who keeps the API server busy: leases in an idle cluster, events in a troubled one."),
            PER_SECOND,
            (Line("sum by (resource) (rate(apiserver_request_total[$__rate_interval]))", "{{resource}}"),),
        ),
        Graph(
            _("Events sent to watches"),
            _("One change becomes as many events as there are watches of its kind."),
            PER_SECOND,
            (Line("sum by (resource) (rate(apiserver_watch_events_total[$__rate_interval]))", "{{resource}}"),),
        ),
    ),
)
