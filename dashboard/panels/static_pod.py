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
  name: {name}
spec:
  containers:
  - name: app
    image: nginx:1.27
"""


def context(view: View) -> dict[str, Any]:
    node, file = view.wish("node"), view.wish("file")
    there = observed.manifests(view.cluster, node)
    found = there.get(f"{static_pods.DIRECTORY_PATH}/{file}")
    names = ("web", *(f"web-{number}" for number in range(2, static_pods.MOST_FILES + 2)))
    fresh = next(name for name in names if f"{static_pods.DIRECTORY_PATH}/{name}.yaml" not in there)
    return {
        "node": node,
        "directory": static_pods.DIRECTORY_PATH,
        "file": file or f"{fresh}.yaml",
        "is_new": found is None,
        "text": EXAMPLE.format(name=fresh) if found is None else found,
    }


PANEL = Panel("static-pod", context)
