"""One node: what is promised to pods is not here, what is used is."""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import BYTES, COUNT, MILLICORES, Board, Graph, Line, Stat

BOARD = Board(
    name="node",
    title=_("Node"),
    about=_("One machine: what it has, what is used of it, and by whom."),
    variables=("node",),
    stats=(
        Stat(_("Pods"), 'sum(kubelet_running_pods{node="$node"})'),
        Stat(_("Containers"), 'sum(kubelet_running_containers{node="$node"})'),
        Stat(_("Cores"), 'sum(machine_cpu_cores{node="$node"})'),
        Stat(
            _("Not ready"),
            'sum(kube_node_status_condition{node="$node",condition="Ready",status!="true"})',
            bad_if_any=True,
        ),
    ),
    graphs=(
        Graph(
            _("CPU of the machine"),
            _("Used is what runs, pods or not. Promised is what its pods request: that is what fills a node."),
            MILLICORES,
            (
                Line('sum(rate(node_cpu_usage_seconds_total{node="$node"}[$__rate_interval])) * 1000', _("used")),
                Line('sum(kube_pod_container_resource_requests{node="$node",resource="cpu"}) * 1000', _("promised")),
                Line('sum(machine_cpu_cores{node="$node"}) * 1000', _("the machine has")),
            ),
        ),
        Graph(
            _("Memory of the machine"),
            _("Memory can't be shared out slower, as CPU can: near the top the kubelet evicts pods."),
            BYTES,
            (
                Line('sum(node_memory_working_set_bytes{node="$node"})', _("used")),
                Line('sum(kube_pod_container_resource_requests{node="$node",resource="memory"})', _("promised")),
                Line('sum(machine_memory_bytes{node="$node"})', _("the machine has")),
            ),
        ),
        Graph(
            _("CPU by pod"),
            _("The pods of this node that use most."),
            MILLICORES,
            (
                Line(
                    'sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{node="$node"}[$__rate_interval]))'
                    " * 1000",
                    "{{pod}}",
                ),
            ),
        ),
        Graph(
            _("Memory by pod"),
            _("If the node runs short of memory, pods far above their request are evicted first."),
            BYTES,
            (Line('sum by (namespace, pod) (container_memory_working_set_bytes{node="$node"})', "{{pod}}"),),
        ),
        Graph(
            _("Pods and containers"),
            _("As the kubelet counts them: a pod counts while its sandbox runs."),
            COUNT,
            (
                Line('sum(kubelet_running_pods{node="$node"})', _("pods")),
                Line('sum(kubelet_running_containers{node="$node"})', _("containers")),
            ),
        ),
        Graph(
            _("Conditions"),
            _("1 is true. Ready should be 1, all kinds of pressure 0; without heartbeats all become unknown."),
            COUNT,
            (Line('sum by (condition) (kube_node_status_condition{node="$node",status="true"})', "{{condition}}"),),
        ),
    ),
)
