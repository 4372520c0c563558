"""NodeRestriction: a kubelet may write about itself and its own pods, and nothing else.

A node that is taken over shall not be able to draw other workloads to itself, or to speak for its neighbours. RBAC
can't say "only your own"; this can.

Mirrors:  kubernetes/plugin/pkg/admission/noderestriction/admission.go
Left out: resource slices and pod certificates.
"""

from typing import Any

from cluster.apiserver.admission.attributes import CONNECT, CREATE, DELETE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import ANY, Plugin
from cluster.apiserver.admission.service_account import MIRROR, refers_to
from cluster.objects import Manifest, errors, meta
from cluster.objects.users import NODE_PREFIX, NODES

LEASES = "kube-node-lease"
OWN_LABELS = frozenset(
    (
        "kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch", "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch", "topology.kubernetes.io/zone", "topology.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region",
        "node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type",
    )
)  # fmt: skip
OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
RESTRICTED_DOMAIN = "node-restriction.kubernetes.io"


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Errors: Forbidden, for a node that writes what is not its own."""
    user = attributes.user
    if NODES not in user.groups:
        return attributes.obj
    node = user.name.removeprefix(NODE_PREFIX) if user.name.startswith(NODE_PREFIX) else ""
    if not node:
        raise _forbidden(attributes, f'could not determine node from user "{user.name}"')
    problem = _CHECKS[attributes.resource.cache](server, node, attributes)
    if problem:
        raise _forbidden(attributes, problem)
    return attributes.obj


def _forbidden(attributes: Attributes, problem: str) -> errors.ApiError:
    return errors.Forbidden(attributes.resource.group, attributes.resource.plural, attributes.name, problem)


# --- pods -------------------------------------------------------------------------------------------------------


def _pod(server: Any, node: str, attributes: Attributes) -> str:
    subresource, operation = attributes.subresource, attributes.operation
    pod = server.informers.get("Pod", attributes.namespace, attributes.name) or attributes.obj
    is_own = (pod.get("spec") or {}).get("nodeName") == node
    if subresource == "status":
        if not is_own:
            return f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
        same = meta.labels(pod) == meta.labels(attributes.obj)
        return "" if same else f'node "{node}" cannot update labels through pod status'
    if subresource == "eviction":
        return "" if is_own else f"node {node} can only evict pods with spec.nodeName set to itself"
    if subresource:
        return f"unexpected pod subresource \"{subresource}\", only 'status' and 'eviction' are allowed"
    if operation == DELETE:
        return "" if is_own else f'node "{node}" can only delete pods with spec.nodeName set to itself'
    if operation != CREATE:
        return f'unexpected operation "{operation.upper()}", node "{node}" can only create and delete mirror pods'
    return _mirror(server, node, attributes.obj)


def _mirror(server: Any, node: str, pod: Manifest) -> str:
    """A kubelet shows the static pods that it runs; it creates no others."""
    spec, itself = pod["spec"], "with an owner reference set to itself"
    if MIRROR not in (pod["metadata"].get("annotations") or {}):
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    if spec.get("nodeName") != node:
        return f'node "{node}" can only create pods with spec.nodeName set to itself'
    owners = meta.owners(pod)
    if len(owners) > 1:
        return f'node "{node}" can only create pods with a single owner reference set to itself'
    owner = owners[0] if owners else {}
    if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
        return f'node "{node}" can only create pods {itself}'
    if not owner.get("controller"):
        return f'node "{node}" can only create pods with a controller owner reference set to itself'
    if owner.get("blockOwnerDeletion"):
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    uid = ((server.informers.get("Node", "", node) or {}).get("metadata") or {}).get("uid", "")
    if owner.get("uid") != uid:
        return f"node {node} UID mismatch: expected {owner.get('uid')} got {uid}"
    return _references(node, spec)


def _references(node: str, spec: Manifest) -> str:
    start = f'node "{node}" can not create pods that reference'
    if spec.get("serviceAccountName"):
        return f"{start} a service account"
    for what, plural in (("secret", "secrets"), ("configMap", "configmaps")):
        if refers_to(spec, what):
            return f"{start} {plural}"
    if any(volume.get("persistentVolumeClaim") for volume in spec.get("volumes") or ()):
        return f"{start} persistentvolumeclaims"
    return ""


# --- nodes ------------------------------------------------------------------------------------------------------


def _node(server: Any, node: str, attributes: Attributes) -> str:
    if attributes.name != node:
        return f'node "{node}" is not allowed to modify node "{attributes.name}"'
    if attributes.operation not in (CREATE, UPDATE) or (attributes.operation == CREATE and attributes.subresource):
        return ""
    old = attributes.old or {"metadata": {}}
    refused = _foreign_labels(meta.labels(old), meta.labels(attributes.obj))
    if attributes.operation == CREATE:
        return f'node "{node}" is not allowed to set the following labels: {refused}' if refused else ""
    before, after = ((obj.get("spec") or {}).get("taints") or [] for obj in (old, attributes.obj))
    if before != after:
        return f'node "{node}" is not allowed to modify taints'
    return f'node "{node}" is not allowed to modify labels: {refused}' if refused else ""


def _foreign_labels(old: dict[str, str], new: dict[str, str]) -> str:
    """Changed labels that only others may set."""
    changed = sorted(key for key in {**old, **new} if old.get(key) != new.get(key))
    return ", ".join(key for key in changed if not _may_label(key))


def _may_label(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    if domain == RESTRICTED_DOMAIN or domain.endswith("." + RESTRICTED_DOMAIN):
        return False
    ours = domain in ("kubernetes.io", "k8s.io") or domain.endswith((".kubernetes.io", ".k8s.io"))
    return (
        not ours or key in OWN_LABELS or domain in OWN_DOMAINS or domain.endswith(tuple("." + d for d in OWN_DOMAINS))
    )


# --- the rest ---------------------------------------------------------------------------------------------------


def _claim(server: Any, node: str, attributes: Attributes) -> str:
    return "" if attributes.subresource == "status" else "may only update PVC status"


def _lease(server: Any, node: str, attributes: Attributes) -> str:
    if attributes.namespace != LEASES:
        return f'can only access leases in the "{LEASES}" system namespace'
    return "" if attributes.name == node else "can only access node lease with the same name as the requesting node"


def _csi_node(server: Any, node: str, attributes: Attributes) -> str:
    return "" if attributes.name == node else "can only access CSINode with the same name as the requesting node"


def _token(server: Any, node: str, attributes: Attributes) -> str:
    """A node asks for tokens of pods that run on it, and of nobody else."""
    if attributes.operation != CREATE or attributes.subresource != "token":
        return ""
    bound = (attributes.obj.get("spec") or {}).get("boundObjectRef") or {}
    if (bound.get("apiVersion"), bound.get("kind")) != ("v1", "Pod") or not bound.get("name"):
        return "node requested token not bound to a pod"
    if not bound.get("uid"):
        return "node requested token with a pod binding without a uid"
    pod = server.informers.get("Pod", attributes.namespace, bound["name"])
    if pod is None:
        raise errors.NotFound("", "pods", bound["name"])
    if bound["uid"] != meta.uid(pod):
        return (
            f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record."
            " The object might have been deleted and then recreated"
        )
    is_own = pod["spec"].get("nodeName") == node
    return "" if is_own else "node requested token bound to a pod scheduled on a different node"


_CHECKS = {
    "Pod": _pod,
    "Node": _node,
    "PersistentVolumeClaim": _claim,
    "Lease": _lease,
    "CSINode": _csi_node,
    "ServiceAccount": _token,
}
PLUGIN = Plugin(
    "NodeRestriction",
    mutate=admit,
    kinds=tuple(_CHECKS),
    operations=(CREATE, UPDATE, DELETE, CONNECT),
    subresources=ANY,
)
