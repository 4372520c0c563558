"""What Prometheus costs a large cluster: CPU of one scrape, and how fast its samples fill the database.

    python -m bench scrapes            1,000 nodes and 10,000 pods
    python -m bench.scrapes 100 1000   others

The world is real and in a database of its own; scrapes are 15 simulated seconds apart, as at 1x. A core at 1x has 15 s
for what is reported of one scrape.
"""

import json
import sys
import time

from bench.death import until
from bench.rig import deployment, own_database, report
from cluster.models import Cluster, MetricBlock
from cluster.monitoring.scraper import Scraper
from cluster.monitoring.store import Store
from cluster.world import World

NODES, PODS, SCRAPES, STEP = 1_000, 10_000, 44, 15_000_000
EACH = 500  # Pods of a Deployment.
PATH = "/apis/apps/v1/namespaces/default/deployments"


def main(nodes: int = NODES, pods: int = PODS) -> None:
    with own_database():
        _measure(nodes, pods)


def _measure(nodes: int, pods: int) -> None:
    options = {"nodes": nodes, "addons": ["kube-proxy", "prometheus"]}
    row = Cluster.objects.create(name="scrapes", seed=7, epoch=0, engine="bench", options=options)
    world = World.create(7, 0, options, row.pk, 0)
    world.run(60_000_000)
    for number in range(pods // EACH):
        body = json.dumps(deployment(f"web-{number}", EACH))
        request = {"type": "api", "method": "POST", "path": PATH, "query": "", "user": "kubernetes-admin", "body": body}
        world.execute(f"post {number}", {**request, "headers": {"content-type": "application/json"}})
    until(world, lambda: _running(world) >= pods)
    world.commit()
    scraper, spent, largest = Scraper(row.pk, 0), 0.0, 0.0
    for _ in range(SCRAPES):
        due = (world.now // STEP + 1) * STEP
        while not world.run(due):  # It stops for checkpoints.
            world.commit()
        world.commit()
        begun = time.process_time()
        scraper.gather(world.site, time.monotonic() + 60)
        took = time.process_time() - begun
        spent, largest = spent + took, max(largest, took)
        scraper._rests_until = 0.0
    size = sum(len(bytes(body)) for body in MetricBlock.objects.filter(columns__gt=1).values_list("body", flat=True))
    what = f"{nodes:,} nodes, {pods:,} pods"
    report(f"scrapes: CPU of one, {what}", spent / SCRAPES, "s", "<= 3 s")
    report(f"scrapes: CPU of the dearest (a block is made), {what}", largest, "s", "")
    report(f"scrapes: series, {what}", len(Store(row.pk).index.labels), "", "")
    report(f"scrapes: growth of the database, {what}", size / 40 * 240 / 2**20, "MiB/hour", "")


def _running(world: World) -> int:
    pods = world.informers.list("Pod")
    return sum((pod.get("status") or {}).get("phase") == "Running" for pod in pods)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
