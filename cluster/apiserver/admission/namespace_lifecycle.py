"""NamespaceLifecycle: nothing new in a namespace that is missing or going; some namespaces never go.

Mirrors:  k8s.io/apiserver/pkg/admission/plugin/namespace/lifecycle/admission.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, DELETE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import ANY, Plugin
from cluster.objects import Manifest, errors

IMMORTAL = ("default", "kube-system", "kube-public")
REVIEWS = ("LocalSubjectAccessReview",)  # A question about a namespace that need not be there.


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Errors: NotFound (no such namespace), Forbidden (it is being terminated, or may not be deleted)."""
    resource, obj = attributes.resource, attributes.obj
    if attributes.operation == DELETE:
        if resource.cache == "Namespace" and attributes.name in IMMORTAL:
            raise errors.Forbidden("", "namespaces", attributes.name, "this namespace may not be deleted")
        return obj
    if not resource.namespaced or resource.cache in REVIEWS:
        return obj
    found = server.informers.get("Namespace", "", attributes.namespace)
    if found is None:
        raise errors.NotFound("", "namespaces", attributes.namespace)
    if attributes.operation == CREATE and (found.get("status") or {}).get("phase") == "Terminating":
        raise _terminating(attributes)
    return obj


def _terminating(attributes: Attributes) -> errors.ApiError:
    namespace = attributes.namespace
    return errors.Forbidden(
        attributes.resource.group,
        attributes.resource.plural,
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


PLUGIN = Plugin("NamespaceLifecycle", mutate=admit, operations=(CREATE, UPDATE, DELETE), subresources=ANY)
