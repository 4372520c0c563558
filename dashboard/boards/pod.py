"""One pod, container by container."""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import BYTES, COUNT, MILLICORES, PERCENT, Board, Graph, Line, Stat

OF = 'namespace="$namespace",pod="$pod"'
THROTTLED, PERIODS = (
    f"rate(container_cpu_cfs_{counted}_total{{{OF}}}[$__rate_interval])" for counted in ("throttled_periods", "periods")
)

BOARD = Board(
    name="pod",
    title=_("Pod"),
    about=_("One pod, container by container. Its curves end with it: they are not carried over to its successor."),
    variables=("namespace", "pod"),
    stats=(
        Stat(_("Containers ready"), f"sum(kube_pod_container_status_ready{{{OF}}})"),
        Stat(_("Restarts"), f"sum(kube_pod_container_status_restarts_total{{{OF}}})", bad_if_any=True),
    ),
    graphs=(
        Graph(
            _("CPU by container"),
            _("Above its limit a container is not killed, it waits: it is throttled."),
            MILLICORES,
            (
                Line(
                    f"sum by (container) (rate(container_cpu_usage_seconds_total{{{OF}}}[$__rate_interval])) * 1000",
                    "{{container}}",
                ),
                Line(f"sum by (container) (container_spec_cpu_quota{{{OF}}}) / 100", _("limit of {{container}}")),
            ),
        ),
        Graph(
            _("Memory by container"),
            _("Above its limit a container is killed at once: OOMKilled, exit code 137."),
            BYTES,
            (
                Line(f"sum by (container) (container_memory_working_set_bytes{{{OF}}})", "{{container}}"),
                Line(f"sum by (container) (container_spec_memory_limit_bytes{{{OF}}})", _("limit of {{container}}")),
            ),
        ),
        Graph(
            _("Throttled"),
            _("Share of the time slices in which it had used up its limit before the end, and waited."),
            PERCENT,
            (Line(f"100 * sum by (container) ({THROTTLED}) / sum by (container) ({PERIODS})", "{{container}}"),),
        ),
        Graph(
            _("Phase"),
            _("A pod is in one phase at a time. It never goes back from Succeeded or Failed."),
            COUNT,
            (Line(f"sum by (phase) (kube_pod_status_phase{{{OF}}}) > 0", "{{phase}}"),),
        ),
        Graph(
            _("Ready"),
            _("1 while its readiness probes succeed: only then do Services send traffic to it."),
            COUNT,
            (Line(f'sum(kube_pod_status_ready{{{OF},condition="true"}})', _("ready")),),
        ),
        Graph(
            _("Restarts"),
            _("Each step is a container that ended and was started again."),
            COUNT,
            (Line(f"sum by (container) (kube_pod_container_status_restarts_total{{{OF}}})", "{{container}}"),),
        ),
        Graph(
            _("What it waits for"),
            _("Why a container does not run: an image that can't be pulled, or the pause before the next try."),
            COUNT,
            (
                Line(
                    f"sum by (container, reason) (kube_pod_container_status_waiting_reason{{{OF}}})",
                    "{{container}}: {{reason}}",
                ),
            ),
        ),
    ),
)
