"""NamespaceLifecycle: nothing new in a namespace that is missing or going; some namespaces never go.

Mirrors:  k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import Attributes
from cluster.objects import Manifest, errors

IMMORTAL = ("default", "kube-system", "kube-public")


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Errors: NotFound (no such namespace), Forbidden (it is being terminated, or may not be deleted)."""
    resource, namespace = attributes.resource, attributes.namespace
    if attributes.operation == "delete" and resource.cache == "Namespace" and attributes.name in IMMORTAL:
        raise errors.Forbidden("", "namespaces", attributes.name, "this namespace may not be deleted")
    if attributes.operation != "create" or not resource.namespaced:
        return attributes.obj
    found = server.informers.get("Namespace", "", namespace)
    if found is None:
        raise errors.NotFound("", "namespaces", namespace)
    if "deletionTimestamp" in found["metadata"]:
        raise errors.Forbidden(
            resource.group,
            resource.plural,
            attributes.name,
            f"unable to create new content in namespace {namespace} because it is being terminated",
            causes=[
                {
                    "reason": "NamespaceTerminating",
                    "message": f"namespace {namespace} is being terminated",
                    "field": "metadata.namespace",
                }
            ],
        )
    return attributes.obj
