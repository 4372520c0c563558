"""The cluster as a whole: is there room, does everything run, is everybody still there?"""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import BYTES, COUNT, MILLICORES, PERCENT, Board, Graph, Line, Stat

BOARD = Board(
    name="cluster",
    title=_("Cluster"),
    about=_("Is there room, does everything run, is everybody still there?"),
    stats=(
        Stat(
            _("Nodes not ready"), 'sum(kube_node_status_condition{condition="Ready",status!="true"})', bad_if_any=True
        ),
        Stat(_("Pods running"), 'sum(kube_pod_status_phase{phase="Running"})'),
        Stat(_("Pods waiting"), 'sum(kube_pod_status_phase{phase="Pending"})', bad_if_any=True),
        Stat(_("Targets down"), "count(up == 0) or vector(0)", bad_if_any=True),
    ),
    graphs=(
        Graph(
            _("CPU by node"),
            _("What containers and the machine's own processes used, averaged over a few scrapes."),
            MILLICORES,
            (Line("sum by (node) (rate(node_cpu_usage_seconds_total[$__rate_interval])) * 1000", "{{node}}"),),
        ),
        Graph(
            _("Memory by node"),
            _("The working set: what could not be freed. A machine without power has no curve."),
            BYTES,
            (Line("sum by (node) (node_memory_working_set_bytes)", "{{node}}"),),
        ),
        Graph(
            _("Promised and used"),
            _("Of all that pods may have. The scheduler fills up promises (requests), whatever is used of them."),
            PERCENT,
            (
                Line(
                    "100 * sum(rate(node_cpu_usage_seconds_total[$__rate_interval])) / sum(machine_cpu_cores)",
                    _("CPU used"),
                ),
                Line(
                    '100 * sum(kube_pod_container_resource_requests{resource="cpu"})'
                    ' / sum(kube_node_status_allocatable{resource="cpu"})',
                    _("CPU promised"),
                ),
                Line("100 * sum(node_memory_working_set_bytes) / sum(machine_memory_bytes)", _("memory used")),
                Line(
                    '100 * sum(kube_pod_container_resource_requests{resource="memory"})'
                    ' / sum(kube_node_status_allocatable{resource="memory"})',
                    _("memory promised"),
                ),
            ),
        ),
        Graph(
            _("Pods by phase"),
            _("Pending pods wait for a node or an image; Failed ones will not come back by themselves."),
            COUNT,
            (Line("sum by (phase) (kube_pod_status_phase) > 0", "{{phase}}"),),
        ),
        Graph(
            _("Nodes ready"),
            _("A dead node stays Ready until its lease is 40 seconds old. Then it is Unknown."),
            COUNT,
            (
                Line('sum(kube_node_status_condition{condition="Ready",status="true"})', _("Ready")),
                Line('sum(kube_node_status_condition{condition="Ready",status="unknown"}) > 0', _("Unknown")),
                Line('sum(kube_node_status_condition{condition="Ready",status="false"}) > 0', _("NotReady")),
            ),
        ),
        Graph(
            _("Container restarts in five minutes"),
            _("A container that ends is started again, later and later: CrashLoopBackOff."),
            COUNT,
            (
                Line(
                    "sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total[5m])) > 0",
                    "{{namespace}}/{{pod}}",
                ),
            ),
        ),
        Graph(
            _("CPU by namespace"),
            _("Who of the tenants uses the machines."),
            MILLICORES,
            (
                Line(
                    "sum by (namespace) (rate(container_cpu_usage_seconds_total[$__rate_interval])) * 1000",
                    "{{namespace}}",
                ),
            ),
        ),
        Graph(
            _("Targets that Prometheus reaches"),
            _("Each scrape says whether the target answered: up is 1 or 0, and it is the first thing to look at."),
            COUNT,
            (Line("sum by (job) (up)", "{{job}}"),),
        ),
    ),
)
