"""How workloads print: the `apps` group, and the core group's older ones."""

from typing import Any

from cluster.apiserver.table.columns import AGE, CONTAINERS, IMAGES, NAME, Column
from cluster.apiserver.table.printer import NONE, Printer, age, map_text, selector_text, template_cells
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


STATEFULSET_COLUMNS = (
    NAME,
    Column("Ready", text="Number of the pod with ready state"),
    AGE,
    CONTAINERS,
    IMAGES,
)
DAEMONSET_COLUMNS = (
    NAME,
    Column("Desired", "integer", "apps_v1.DaemonSetStatus.desiredNumberScheduled"),
    Column("Current", "integer", "apps_v1.DaemonSetStatus.currentNumberScheduled"),
    Column("Ready", "integer", "apps_v1.DaemonSetStatus.numberReady"),
    Column("Up-to-date", "integer", "apps_v1.DaemonSetStatus.updatedNumberScheduled"),
    Column("Available", "integer", "apps_v1.DaemonSetStatus.numberAvailable"),
    Column("Node Selector", doc="core_v1.PodSpec.nodeSelector"),
    AGE,
    CONTAINERS,
    IMAGES,
    Column("Selector", doc="apps_v1.DaemonSetSpec.selector", wide=True),
)
REVISION_COLUMNS = (
    NAME,
    Column("Controller", text="Controller of the object"),
    Column("Revision", doc="apps_v1.ControllerRevision.revision"),
    AGE,
)
CONTROLLER_COLUMNS = (
    NAME,
    Column("Desired", "integer", "core_v1.ReplicationControllerSpec.replicas"),
    Column("Current", "integer", "core_v1.ReplicationControllerStatus.replicas"),
    Column("Ready", "integer", "core_v1.ReplicationControllerStatus.readyReplicas"),
    AGE,
    CONTAINERS,
    IMAGES,
    Column("Selector", doc="core_v1.ReplicationControllerSpec.selector", wide=True),
)
TEMPLATE_COLUMNS = (
    NAME,
    CONTAINERS._replace(wide=False),
    IMAGES._replace(wide=False),
    Column("Pod Labels", text="The labels for the pod template."),
)


def statefulset(obj: Manifest, now: int) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    return [meta.name(obj), ready, age(obj, now), *template_cells(spec)]


def daemonset(obj: Manifest, now: int) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    pod = (spec.get("template") or {}).get("spec") or {}
    counted = (
        "desiredNumberScheduled", "currentNumberScheduled", "numberReady", "updatedNumberScheduled", "numberAvailable",
    )  # fmt: skip
    return [
        meta.name(obj),
        *(status.get(name, 0) for name in counted),
        map_text(pod.get("nodeSelector")),
        age(obj, now),
        *template_cells(spec),
        selector_text(spec.get("selector")),
    ]


def revision(obj: Manifest, now: int) -> list[Any]:
    owner, name = meta.controller_of(obj), NONE
    if owner is not None:
        group = owner["apiVersion"].rpartition("/")[0]
        name = f"{owner['kind'].lower()}{'.' if group else ''}{group}/{owner['name']}"
    return [meta.name(obj), name, obj.get("revision", 0), age(obj, now)]


def replication_controller(obj: Manifest, now: int) -> list[Any]:
    return [*replicaset({**obj, "spec": {**(obj.get("spec") or {}), "selector": None}}, now)[:-1], _chosen(obj)]


def _chosen(obj: Manifest) -> str:
    return map_text((obj.get("spec") or {}).get("selector"))


def pod_template(obj: Manifest, now: int) -> list[Any]:
    template = obj.get("template") or {}
    chosen = map_text((template.get("metadata") or {}).get("labels"))
    return [meta.name(obj), *template_cells({"template": template}), chosen]


PRINTERS: dict[tuple[str, str], Printer] = {
    ("", "PodTemplate"): Printer(TEMPLATE_COLUMNS, pod_template),
    ("", "ReplicationController"): Printer(CONTROLLER_COLUMNS, replication_controller),
    ("apps", "ControllerRevision"): Printer(REVISION_COLUMNS, revision),
    ("apps", "DaemonSet"): Printer(DAEMONSET_COLUMNS, daemonset),
    ("apps", "Deployment"): Printer(DEPLOYMENT_COLUMNS, deployment),
    ("apps", "ReplicaSet"): Printer(REPLICASET_COLUMNS, replicaset),
    ("apps", "StatefulSet"): Printer(STATEFULSET_COLUMNS, statefulset),
}
