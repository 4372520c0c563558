"""RuntimeClass: a pod may name another container runtime, if the cluster has it. Ours has none besides the default.

Mirrors:  kubernetes/plugin/pkg/admission/runtimeclass/admission.go
Left out: RuntimeClass objects, their overhead and their scheduling.
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest, errors


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Errors: Forbidden for every runtime class."""
    wanted = attributes.obj["spec"].get("runtimeClassName")
    if wanted:
        raise errors.Forbidden("", "pods", attributes.name, f'pod rejected: RuntimeClass "{wanted}" not found')
    return attributes.obj


PLUGIN = Plugin("RuntimeClass", mutate=admit, kinds=("Pod",), operations=(CREATE,))
