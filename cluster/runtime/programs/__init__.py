"""Programs: what images contain. One file each, one line in `PROGRAMS`.

Read next: program.py (the contract), then nginx.py (a server) and busybox.py (a shell).
"""

from cluster.runtime.programs.addons import CoreDNS, Dashboard, Flannel, KubeProxy
from cluster.runtime.programs.busybox import Busybox
from cluster.runtime.programs.crasher import Crasher
from cluster.runtime.programs.databases import MariaDB, MySQL, Postgres
from cluster.runtime.programs.generic import Generic
from cluster.runtime.programs.leaker import Leaker
from cluster.runtime.programs.load import Load, Operator
from cluster.runtime.programs.logging import FluentBit, Loki
from cluster.runtime.programs.metrics_server import MetricsServer
from cluster.runtime.programs.mongo import Mongo
from cluster.runtime.programs.nginx import Nginx
from cluster.runtime.programs.node import Node, Perl
from cluster.runtime.programs.pause import Pause
from cluster.runtime.programs.program import Program
from cluster.runtime.programs.prometheus import KubeStateMetrics, Prometheus
from cluster.runtime.programs.python import Python
from cluster.runtime.programs.redis import Redis
from cluster.runtime.programs.stress import Stress
from cluster.runtime.programs.teaching import Burner, Chatty, Flaky, HelloWorld, SlowStarter
from cluster.runtime.programs.web import SERVERS, named

PROGRAMS: dict[str, type[Program]] = {
    "nginx": Nginx,
    "redis": Redis,
    "mysql": MySQL,
    "postgres": Postgres,
    "mariadb": MariaDB,
    "mongo": Mongo,
    "busybox": Busybox,
    "crasher": Crasher,
    "leaker": Leaker,
    "metrics-server": MetricsServer,
    "prometheus": Prometheus,
    "kube-state-metrics": KubeStateMetrics,
    "coredns": CoreDNS,
    "kube-proxy": KubeProxy,
    "flannel": Flannel,
    "fluent-bit": FluentBit,
    "loki": Loki,
    "dashboard": Dashboard,
    "pause": Pause,
    "slow-starter": SlowStarter,
    "flaky": Flaky,
    "cpu-burner": Burner,
    "stress": Stress,
    **{name: named(name) for name in SERVERS},
    "python": Python,
    "node": Node,
    "perl": Perl,
    "chatty": Chatty,
    "hello-world": HelloWorld,
    "generic": Generic,
    "load": Load,
    "load-operator": Operator,
}
