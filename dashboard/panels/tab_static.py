"""A node's static pods: the manifests on its machine's disk, and what its kubelet makes of each.

Read next: cluster/kubelet/static_pods.py.
"""

from typing import Any

from cluster.apiserver import scheme
from cluster.kubelet import static_pods
from cluster.models import Cluster
from cluster.objects import Manifest, meta, pods
from dashboard import observed, reads, rows
from dashboard.panels.panel import View


def context(view: View, kind: str, key: str, obj: Manifest | None) -> dict[str, Any]:
    """`files`: each {name, refused} or {name, pod, state, words, shown}; `directory`; `node`."""
    node = meta.name(obj) if obj is not None else key
    found = observed.manifests(view.cluster, node)
    return {
        "node": node,
        "directory": static_pods.DIRECTORY_PATH,
        "files": [described(view.cluster, node, path, text) for path, text in found.items()],
    }


def described(cluster: Cluster, node: str, path: str, text: str) -> dict[str, Any]:
    """One file, and its pod as the API server shows it, if it does."""
    name = path.rpartition("/")[2]
    try:
        pod = static_pods.read(scheme, node, path, text)
    except ValueError as error:
        return {"name": name, "refused": str(error)}
    mirror = reads.get(cluster, "Pod", meta.namespace(pod), meta.name(pod))
    row = rows.pod_row(mirror) if mirror is not None and pods.is_mirror(mirror) else {}
    return {
        "name": name,
        "pod": meta.key(pod),
        "state": row.get("s", ""),
        "words": row.get("t", ""),
        "shown": bool(row),
    }
