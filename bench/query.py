"""What a range query over 10,000 series costs, and how large an hour of a large cluster's samples is.

The store is real, in a database of its own; the scrapes are made up: 10,000 containers whose counters grow unevenly.
"""

import time

import numpy as np

from bench.rig import own_database, report
from cluster.models import Cluster, MetricBlock
from cluster.monitoring import promql
from cluster.monitoring.store import Store

SERIES, SCRAPES, STEP = 10_000, 240, 15_000
QUERY = "sum by (namespace) (rate(container_cpu_usage_seconds_total[5m]))"


def main() -> None:
    with own_database():
        _measure()


def _measure() -> None:
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
    for what in ("a rate over 10,000 series and an hour", "the same again"):
        began, spent = time.perf_counter(), time.process_time()
        promql.evaluate(promql.parse(QUERY), Store(row.pk), 0, SCRAPES * STEP, STEP)
        report(f"query: {what}", time.perf_counter() - began, "s", "<= 1 s")
        report(f"query: {what}, CPU", time.process_time() - spent, "s", "")


if __name__ == "__main__":
    main()
