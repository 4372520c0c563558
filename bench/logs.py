"""How long a search of a million lines takes: 1,000 containers, each with 1,000 lines. On SQLite."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.rig import report

PODS, LINES = 1_000, 1_000
RUNS = 20
MOMENTS = 10_000_000  # Microseconds between two lines of a container.


def main() -> None:
    """In a process of its own, whose database is no installation's."""
    with tempfile.TemporaryDirectory(prefix="orrery-bench-") as home:
        environment = {**os.environ, "ORRERY_HOME": home, "DJANGO_SETTINGS_MODULE": "dashboard.settings"}
        environment.pop("DATABASE_URL", None)
        subprocess.run([sys.executable, "-m", "bench.logs", home], env=environment, check=True)


def measure(home: Path) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    from cluster.apiserver.reads import Reader
    from cluster.logstore import logql, store
    from cluster.models import Cluster

    cluster = Cluster.objects.create(name="bench", seed=1, epoch=0, engine="bench").pk
    seconds = filled(cluster)
    report("logs: appended", PODS * LINES / seconds, "lines/s", "")
    size = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    report("logs: database", size / (PODS * LINES), "bytes/line", "")
    reader, end = Reader(), LINES * MOMENTS + 1
    for name, query in (
        ("a rare word", '{job="fluentbit"} |= "zyzzyva-421337"'),
        ("a word that is not there", '{job="fluentbit"} |= "quixotry"'),
        ("first page of a common word", '{job="fluentbit"} |= "request"'),
        ("first page of one pod", '{pod="web-7"}'),
        ("a pattern, newest hour", '{job="fluentbit"} |~ "status=5\\\\d3"'),
    ):
        start = end - 3_600_000_000 if "hour" in name else 0
        taken = []
        for _ in range(RUNS):
            began = time.perf_counter()
            store.search(reader.rows, cluster, logql.parse(query), start, end, 100)
            taken.append((time.perf_counter() - began) * 1000)
        report(
            f"logs: {name}, p95", statistics.quantiles(taken, n=20)[-1], "ms", "" if "pattern" in name else "<= 200 ms"
        )
    reader.close()


def filled(cluster: int) -> float:
    """Append all lines, in portions as agents do; returns the seconds that it took."""
    from django.db import transaction

    from cluster.logstore import store

    began = time.perf_counter()
    names = [store.labels_of({"job": "fluentbit", "namespace": "default", "pod": f"web-{n}"}) for n in range(PODS)]
    for first in range(0, LINES, 100):
        with transaction.atomic():
            store.append(
                cluster,
                {
                    name: [(at * MOMENTS, text(pod, at)) for at in range(first, first + 100)]
                    for pod, name in enumerate(names)
                },
                first * MOMENTS,
            )
    return time.perf_counter() - began


def text(pod: int, at: int) -> str:
    number = pod * LINES + at
    rare = " zyzzyva-421337" if number == 421_337 else ""
    return f"request id={number * 2654435761 % 2**32:08x} path=/item/{number % 977} status={200 + number % 304}{rare}"


if __name__ == "__main__":
    measure(Path(sys.argv[1]))
