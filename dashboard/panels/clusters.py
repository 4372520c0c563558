"""The cluster menu (switch, make, delete, start afresh), and the sheets behind its items."""

from typing import Any

from cluster.models import Cluster
from dashboard import reads
from dashboard.panels.panel import Panel, View


def context(view: View) -> dict[str, Any]:
    names = list(Cluster.objects.order_by("name").values_list("name", flat=True))
    return {"names": names, "has_webui": reads.get(view.cluster, "Service", "kube-system", "web-ui") is not None}


PANEL = Panel("clusters", context)
CREATE = Panel("cluster-create", context)
RESET = Panel("cluster-reset", context)
DELETE = Panel("cluster-delete", context)
