"""The opening scene: the first look is a cluster with a running application, never an empty screen.

The cluster was born a quarter of a minute ago, and nobody waits that long: its nodes' boot and the pulls of its images
are skipped, so that its clock shows the time on the wall when the page opens.
"""

import time
from typing import Any

import orjson
import yaml

from cluster import inbox
from cluster.engine.clock import SECOND
from cluster.models import Cluster

FIRST = "default"
NODES = 3
BOOTING = 2  # Simulated seconds until all nodes are Ready …
PULLING = 12  # … and then until nginx is on every disk and runs.
SEED = 2014  # The year in which Kubernetes was published; any number would do.

APPLICATION = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: hello
spec:
  replicas: 3
  selector:
    matchLabels: {app: hello}
  template:
    metadata:
      labels: {app: hello}
    spec:
      containers:
      - name: nginx
        image: nginx:1.29
        ports:
        - containerPort: 80
        resources:
          requests: {cpu: 100m, memory: 64Mi}
---
apiVersion: v1
kind: Service
metadata:
  name: hello
spec:
  selector: {app: hello}
  ports:
  - port: 80
"""

PATHS = {
    "Deployment": "/apis/apps/v1/namespaces/default/deployments",
    "Service": "/api/v1/namespaces/default/services",
}


def ensure() -> None:
    """Make the first cluster if there is none at all. Errors: SystemExit with what the cluster said."""
    if Cluster.objects.exists():
        return
    ask(FIRST, create_request({"nodes": NODES}, SEED, BOOTING + PULLING))
    ask(FIRST, {"type": "clock", "op": "skip", "seconds": BOOTING})
    for manifest in yaml.safe_load_all(APPLICATION):
        ask(FIRST, apply_request(manifest))
    ask(FIRST, {"type": "clock", "op": "skip", "seconds": PULLING})


def create_request(options: dict[str, Any], seed: int, ago: int = 0) -> dict[str, Any]:
    """A new cluster whose t = 0 was `ago` seconds ago."""
    return {"type": "create", "seed": seed, "epoch": time.time_ns() // 1_000 - ago * SECOND, "options": options}


def apply_request(manifest: dict[str, Any]) -> dict[str, Any]:
    """What `kubectl create -f` would send."""
    headers = {"content-type": "application/json", "user-agent": "orrery-opening"}
    body = orjson.dumps(manifest).decode()
    path = PATHS[manifest["kind"]]
    return {"type": "api", "method": "POST", "path": path, "query": "", "headers": headers, "body": body}


def ask(cluster: str, request: dict[str, Any]) -> inbox.Answer:
    answer = inbox.call_sync(cluster, request)
    if answer.status >= 400:
        raise SystemExit(f"orrery: {answer.json()['message']}")
    return answer
