"""TaintNodesByCondition: a new node is not ready until its kubelet says so.

Mirrors:  kubernetes/plugin/pkg/admission/nodetaint/admission.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest

NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


def admit(server: Any, attributes: Attributes) -> Manifest:
    node = attributes.obj
    spec = node.get("spec") or {}
    taints = spec.get("taints") or []
    if any((taint["key"], taint["effect"]) == (NOT_READY["key"], NOT_READY["effect"]) for taint in taints):
        return node
    return {**node, "spec": {**spec, "taints": [*taints, NOT_READY]}}


PLUGIN = Plugin("TaintNodesByCondition", mutate=admit, kinds=("Node",), operations=(CREATE,))
