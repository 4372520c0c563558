"""The sheet for a manifest on a machine's disk, new or as it is.

Read next: tab_static.py, which lists them; cluster/kubelet/static_pods.py.
"""

from typing import Any

from cluster.kubelet import static_pods
from dashboard import observed
from dashboard.panels.panel import Panel, View

EXAMPLE = """apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  containers:
  - name: app
    image: nginx:1.27
"""


def context(view: View) -> dict[str, Any]:
    node, file = view.wish("node"), view.wish("file")
    found = observed.manifests(view.cluster, node).get(f"{static_pods.DIRECTORY_PATH}/{file}")
    return {
        "node": node,
        "directory": static_pods.DIRECTORY_PATH,
        "file": file or "web.yaml",
        "is_new": found is None,
        "text": EXAMPLE if found is None else found,
    }


PANEL = Panel("static-pod", context)
