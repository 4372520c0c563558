"""The opening scene: the first look is a cluster with a running application, never an empty screen."""

import time
from typing import Any

import orjson
import yaml

from cluster import inbox
from cluster.models import Cluster

FIRST = "default"
NODES = 3
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
    create(FIRST, {"nodes": NODES}, SEED)
    for manifest in yaml.safe_load_all(APPLICATION):
        ask(FIRST, apply_request(manifest))


def create(name: str, options: dict[str, Any], seed: int) -> inbox.Answer:
    """Have a cluster made; its t = 0 is now."""
    return ask(name, create_request(options, seed))


def create_request(options: dict[str, Any], seed: int) -> dict[str, Any]:
    return {"type": "create", "seed": seed, "epoch": time.time_ns() // 1_000, "options": options}


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
