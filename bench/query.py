"""What a range query over 10,000 series costs, and how large an hour of a large cluster's samples is.

The store is real, in a database of its own; the scrapes are made up: 10,000 containers whose counters grow unevenly.
"""

import os
import tempfile
import time
from pathlib import Path

SERIES, SCRAPES, STEP = 10_000, 240, 15_000
QUERY = "sum by (namespace) (rate(container_cpu_usage_seconds_total[5m]))"


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"ORRERY_HOME": home, "DATABASE_URL": f"sqlite:///{Path(home) / 'query.sqlite3'}"}
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
        import django

        django.setup()
        _measure()


def _measure() -> None:
    import numpy as np
    from django.core.management import call_command

    from bench.rig import report
    from cluster.models import Cluster, MetricBlock
    from cluster.monitoring import promql
    from cluster.monitoring.store import Store

    call_command("migrate", verbosity=0)
    row = Cluster.objects.create(name="query", seed=7, epoch=0, engine="bench")
    store, dice = Store(row.pk), np.random.default_rng(7)
    labels = [
        {
            "__name__": "container_cpu_usage_seconds_total",
            "namespace": f"n{at % 20}",
            "pod": f"p{at}",
            "job": "kubelet",
        }
        for at in range(SERIES)
    ]
    counters, writing = np.zeros(SERIES), time.perf_counter()
    for scrape in range(SCRAPES):
        counters += dice.integers(10, 400, SERIES) / 1000 * STEP / 1000
        store.append(scrape * STEP, list(zip(labels, counters.tolist(), strict=True)))
        store.tidy(scrape * STEP)
    writing = time.perf_counter() - writing
    size = sum(len(bytes(body)) for body in MetricBlock.objects.values_list("body", flat=True))
    report("query: one scrape of 10,000 series", writing / SCRAPES * 1000, "ms", "")
    report("query: size of a sample", size / SERIES / SCRAPES, "bytes", "")
    began = time.perf_counter()
    promql.evaluate(promql.parse(QUERY), Store(row.pk), 0, SCRAPES * STEP, STEP)
    report("query: a rate over 10,000 series and an hour", time.perf_counter() - began, "s", "<= 1 s")


if __name__ == "__main__":
    main()
