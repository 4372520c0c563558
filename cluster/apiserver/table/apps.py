"""How workloads print: the `apps` group."""

from typing import Any

from cluster.apiserver.table.columns import AGE, CONTAINERS, IMAGES, NAME, Column
from cluster.apiserver.table.printer import Printer, age, selector_text, template_cells
from cluster.objects import Manifest, meta

DEPLOYMENT_COLUMNS = (
    NAME,
    Column("Ready", text="Number of the pod with ready state"),
    Column("Up-to-date", doc="apps_v1.DeploymentStatus.updatedReplicas"),
    Column("Available", doc="apps_v1.DeploymentStatus.availableReplicas"),
    AGE,
    CONTAINERS,
    IMAGES,
    Column("Selector", doc="apps_v1.DeploymentSpec.selector", wide=True),
)
REPLICASET_COLUMNS = (
    NAME,
    Column("Desired", "integer", "apps_v1.ReplicaSetSpec.replicas"),
    Column("Current", "integer", "apps_v1.ReplicaSetStatus.replicas"),
    Column("Ready", "integer", "apps_v1.ReplicaSetStatus.readyReplicas"),
    AGE,
    CONTAINERS,
    IMAGES,
    Column("Selector", doc="apps_v1.ReplicaSetSpec.selector", wide=True),
)


def deployment(obj: Manifest, now: int) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        meta.name(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(obj, now),
        *template_cells(spec),
        selector_text(spec.get("selector")),
    ]


def replicaset(obj: Manifest, now: int) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        meta.name(obj),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        age(obj, now),
        *template_cells(spec),
        selector_text(spec.get("selector")),
    ]


PRINTERS: dict[tuple[str, str], Printer] = {
    ("apps", "Deployment"): Printer(DEPLOYMENT_COLUMNS, deployment),
    ("apps", "ReplicaSet"): Printer(REPLICASET_COLUMNS, replicaset),
}
