"""PodTopologyLabels: a pod that is given a node learns that node's zone and region, as labels of its own.

Mirrors:  kubernetes/plugin/pkg/admission/podtopologylabels/admission.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest

LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")


def of_node(server: Any, name: str) -> dict[str, str]:
    """What a pod on that node is labelled with; nothing if the node is not there."""
    labels = ((server.informers.get("Node", "", name) or {}).get("metadata") or {}).get("labels") or {}
    return {key: labels[key] for key in LABELS if key in labels}


def admit(server: Any, attributes: Attributes) -> Manifest:
    """The Binding with the labels that its pod shall have."""
    binding = attributes.obj
    found = of_node(server, (binding.get("target") or {}).get("name", ""))
    if not found:
        return binding
    metadata = binding.get("metadata") or {}
    return {**binding, "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **found}}}


PLUGIN = Plugin("PodTopologyLabels", mutate=admit, kinds=("Pod",), operations=(CREATE,), subresources=("binding",))
