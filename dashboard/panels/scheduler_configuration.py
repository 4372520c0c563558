"""The sheet with kube-scheduler's configuration: which profiles there are, and a few to begin with.

Read next: cluster/scheduler/configuration.py for what may stand in it.
"""

from typing import Any, NamedTuple

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cluster import processes
from cluster.models import Cluster, Process
from cluster.scheduler import configuration
from dashboard.panels.panel import Panel, View

HEAD = f"apiVersion: {configuration.VERSION}\nkind: {configuration.KIND}\n"


class Sample(NamedTuple):
    name: str
    title: Promise
    text: str


SAMPLES = (
    Sample(
        "two",
        _("Two profiles"),
        HEAD
        + """profiles:
- schedulerName: default-scheduler
- schedulerName: packing            # pods choose it with spec.schedulerName
  plugins:
    score:
      disabled:
      - name: NodeResourcesBalancedAllocation
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy:
        type: MostAllocated
        resources:
        - {name: cpu, weight: 1}
        - {name: memory, weight: 1}
""",
    ),
    Sample(
        "pack",
        _("Pack nodes full"),
        HEAD
        + """profiles:
- plugins:
    score:
      disabled:
      - name: NodeResourcesBalancedAllocation
      - name: PodTopologySpread
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy:
        type: MostAllocated
""",
    ),
    Sample(
        "zones",
        _("Zones filled evenly"),
        HEAD
        + """profiles:
- pluginConfig:
  - name: PodTopologySpread
    args:
      defaultingType: List
      defaultConstraints:
      - maxSkew: 1
        topologyKey: topology.kubernetes.io/zone
        whenUnsatisfiable: DoNotSchedule
""",
    ),
    Sample(
        "one",
        _("Look at one plugin only"),
        HEAD
        + """percentageOfNodesToScore: 100
profiles:
- plugins:
    multiPoint:
      disabled:
      - name: "*"
      enabled:
      - name: PrioritySort
      - name: NodeResourcesFit
      - name: DefaultBinder
""",
    ),
)
BY_NAME = {sample.name: sample for sample in SAMPLES}


def text_of(cluster: Cluster) -> str:
    """What kube-scheduler was told; empty: nothing."""
    row = Process.objects.filter(id=f"{cluster.pk}:{processes.CONFIGURED}").values_list("body", flat=True).first()
    return str(orjson.loads(row)["text"]) if row else ""


def context(view: View) -> dict[str, Any]:
    sample, now = BY_NAME.get(view.wish("sample")), text_of(view.cluster)
    return {
        "samples": SAMPLES,
        "sample": sample,
        "text": sample.text if sample else now or f"{HEAD}profiles:\n- schedulerName: default-scheduler\n",
        "configured": bool(now),
    }


PANEL = Panel("scheduler-configuration", context)
