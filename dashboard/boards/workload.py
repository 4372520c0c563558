"""One Deployment, StatefulSet or DaemonSet: what it promises, and what its pods use."""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import BYTES, COUNT, MILLICORES, Board, Graph, Line, Stat

OF = 'namespace="$namespace",pod=~"$pods"'


def _any(**metrics: str) -> str:
    """The metric of the chosen workload's kind: of the others no series has an empty name."""
    return " or ".join(f'sum({metric}{{namespace="$namespace",{kind}="${kind}"}})' for kind, metric in metrics.items())


WANTED = _any(
    deployment="kube_deployment_spec_replicas",
    statefulset="kube_statefulset_replicas",
    daemonset="kube_daemonset_status_desired_number_scheduled",
)
READY = _any(
    deployment="kube_deployment_status_replicas_available",
    statefulset="kube_statefulset_status_replicas_ready",
    daemonset="kube_daemonset_status_number_ready",
)
UNAVAILABLE = _any(
    deployment="kube_deployment_status_replicas_unavailable",
    daemonset="kube_daemonset_status_number_unavailable",
)

BOARD = Board(
    name="workload",
    title=_("Workload"),
    about=_("What was promised, what is there, and what its pods use. Pods come and go; the workload stays."),
    variables=("namespace", "workload"),
    stats=(
        Stat(_("Pods ready"), f'sum(kube_pod_status_ready{{{OF},condition="true"}})'),
        Stat(_("Pods not ready"), f'sum(kube_pod_status_ready{{{OF},condition!="true"}})', bad_if_any=True),
        Stat(_("Restarts"), f"sum(kube_pod_container_status_restarts_total{{{OF}}})"),
    ),
    graphs=(
        Graph(
            _("Replicas"),
            _("Wanted is your promise; ready is what a Service may send traffic to. Controllers close the gap."),
            COUNT,
            (Line(WANTED, _("wanted")), Line(READY, _("ready")), Line(UNAVAILABLE, _("unavailable"))),
        ),
        Graph(
            _("Ready pods"),
            _("A Service sends traffic only to pods that are ready. A rolling update keeps this up."),
            COUNT,
            (
                Line(f'sum(kube_pod_status_ready{{{OF},condition="true"}})', _("ready")),
                Line(f'sum(kube_pod_status_ready{{{OF},condition="false"}})', _("not ready")),
            ),
        ),
        Graph(
            _("CPU by pod"),
            _("Each pod is a curve of its own: a new pod is never the old one, it has another name."),
            MILLICORES,
            (
                Line(
                    f"sum by (pod) (rate(container_cpu_usage_seconds_total{{{OF}}}[$__rate_interval])) * 1000",
                    "{{pod}}",
                ),
            ),
        ),
        Graph(
            _("Memory by pod"),
            _("Curves that only rise may be a leak. At its limit a container is killed: OOMKilled."),
            BYTES,
            (Line(f"sum by (pod) (container_memory_working_set_bytes{{{OF}}})", "{{pod}}"),),
        ),
        Graph(
            _("CPU of all its pods"),
            _("An autoscaler compares this with what all the pods request."),
            MILLICORES,
            (Line(f"sum(rate(container_cpu_usage_seconds_total{{{OF}}}[$__rate_interval])) * 1000", _("all pods")),),
        ),
        Graph(
            _("Restarts by pod"),
            _("How often the kubelet has started a container again, over the pod's whole life."),
            COUNT,
            (Line(f"sum by (pod) (kube_pod_container_status_restarts_total{{{OF}}})", "{{pod}}"),),
        ),
    ),
)
