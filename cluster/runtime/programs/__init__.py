"""Programs: what images contain. One file each, one line in `PROGRAMS`.

Read next: program.py (the contract), then nginx.py (a server) and busybox.py (a shell).
"""

from cluster.runtime.programs.busybox import Busybox
from cluster.runtime.programs.crasher import Crasher
from cluster.runtime.programs.generic import Generic
from cluster.runtime.programs.leaker import Leaker
from cluster.runtime.programs.metrics_server import MetricsServer
from cluster.runtime.programs.nginx import Nginx
from cluster.runtime.programs.pause import Pause
from cluster.runtime.programs.program import Program
from cluster.runtime.programs.redis import Redis

PROGRAMS: dict[str, type[Program]] = {
    "nginx": Nginx,
    "redis": Redis,
    "busybox": Busybox,
    "crasher": Crasher,
    "leaker": Leaker,
    "metrics-server": MetricsServer,
    "pause": Pause,
    "generic": Generic,
}
