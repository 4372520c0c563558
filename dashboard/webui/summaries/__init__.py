"""What is worth saying of an object of a kind: one function each, and one line here.

    pods.py        containers, their states, what is mounted
    workloads.py   rollouts, their revisions; jobs, autoscalers, budgets
    network.py     a Service's endpoints, an Ingress' rules
    nodes.py       what was promised on a node, and to whom
    storage.py     claims and volumes
    settings.py    ConfigMaps, Secrets, quotas, roles

A function takes the API and the object, and gives sections. Kinds that are not here have what every object has.
"""

from collections.abc import Callable

from cluster.objects import Manifest
from dashboard.webui.cells import Section
from dashboard.webui.client import Client
from dashboard.webui.summaries import network, nodes, pods, settings, storage, workloads

Summary = Callable[[Client, Manifest], list[Section]]
SUMMARIES: dict[tuple[str, str], Summary] = {  # By group and kind.
    ("", "Pod"): pods.pod,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replicaset,
    ("apps", "StatefulSet"): workloads.revisioned,
    ("apps", "DaemonSet"): workloads.revisioned,
    ("batch", "Job"): workloads.job,
    ("batch", "CronJob"): workloads.cronjob,
    ("autoscaling", "HorizontalPodAutoscaler"): workloads.autoscaler,
    ("policy", "PodDisruptionBudget"): workloads.budget,
    ("", "Service"): network.service,
    ("networking.k8s.io", "Ingress"): network.ingress,
    ("", "Node"): nodes.node,
    ("", "PersistentVolumeClaim"): storage.claim,
    ("", "PersistentVolume"): storage.volume,
    ("", "ConfigMap"): settings.config,
    ("", "Secret"): settings.secret,
    ("", "ResourceQuota"): settings.quota,
    ("rbac.authorization.k8s.io", "Role"): settings.role,
    ("rbac.authorization.k8s.io", "ClusterRole"): settings.role,
    ("rbac.authorization.k8s.io", "RoleBinding"): settings.binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): settings.binding,
}


def of(server: Client, obj: Manifest) -> list[Section]:
    group = obj["apiVersion"].rpartition("/")[0]
    found = SUMMARIES.get((group, obj["kind"]))
    return found(server, obj) if found is not None else []
