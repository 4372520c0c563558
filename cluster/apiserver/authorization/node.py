"""The node authoriser: a kubelet reads what its pods need, and nothing of other nodes.

RBAC can't say "the secrets of the pods that run on you"; this can. A secret, config map, claim, volume or account is a
node's business if a pod bound to that node uses it. Everything else that kubelets do is in one fixed list of rules,
those of the ClusterRole `system:node`.

Mirrors:  kubernetes/plugin/pkg/auth/authorizer/node/node_authorizer.go
Left out: resource claims and pod certificates. The real one keeps a graph; ours looks at the node's pods when it is
          asked, since our own kubelets, who ask most, are not asked.
"""

from collections.abc import Iterator

from cluster.apiserver.authorization import ALLOWED, Ask, Decision, Source
from cluster.apiserver.authorization.defaults import rules_of
from cluster.apiserver.authorization.rbac import allows
from cluster.objects import Manifest, meta, users

LEASES = "kube-node-lease"
OWN = {
    ("coordination.k8s.io", "leases"): (
        ("get", "create", "update", "patch", "delete"),
        "can only get, create, update, patch, or delete a node lease",
        "can only access node lease with the same name as the requesting node",
    ),
    ("storage.k8s.io", "csinodes"): (
        ("get", "create", "update", "patch", "delete"),
        "can only get, create, update, patch, or delete a CSINode",
        "can only access CSINode with the same name as the requesting node",
    ),
}
NAMESPACED = {("", "secrets"): "Secret", ("", "configmaps"): "ConfigMap"}
SINGLE = {
    ("", "persistentvolumeclaims"): "PersistentVolumeClaim",
    ("", "persistentvolumes"): "PersistentVolume",
    ("storage.k8s.io", "volumeattachments"): "VolumeAttachment",
}


def _no(reason: str = "") -> Decision:
    return Decision(False, reason)


class NodeAuthorizer:
    """Decides for users `system:node:<name>` in group `system:nodes`."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def decide(self, ask: Ask) -> Decision:
        node = ask.user.name.removeprefix(users.NODE_PREFIX)
        if not ask.user.name.startswith(users.NODE_PREFIX):
            return _no()
        if not node:
            return _no(f'unknown node for user "{ask.user.name}"')
        if not ask.path:
            found = self._about(node, ask)
            if found is not None:
                return found
        return ALLOWED if any(allows(rule, ask) for rule in rules_of("system:node")) else _no()

    def _about(self, node: str, ask: Ask) -> Decision | None:
        """Kinds of which a node may see a part; None: all others."""
        kind = ask.group, ask.resource
        if kind in NAMESPACED:
            return self._read(node, ask, NAMESPACED[kind])
        if kind in SINGLE:
            return self._claim_status(node, ask) if ask.subresource == "status" else self._single(node, ask)
        if kind in OWN:
            return _own(node, ask)
        if kind == ("", "serviceaccounts"):
            return self._token(node, ask)
        if kind == ("", "nodes"):
            return _node(node, ask)
        return self._pod(node, ask) if kind == ("", "pods") else None

    def _read(self, node: str, ask: Ask, kind: str) -> Decision:
        if ask.verb not in ("get", "list", "watch"):
            return _no("can only read resources of this type")
        if ask.subresource:
            return _no("cannot read subresource")
        if not ask.namespace:
            return _no("can only read namespaced object of this type")
        return self._related(node, ask, kind)

    def _single(self, node: str, ask: Ask) -> Decision:
        if ask.verb != "get":
            return _no("can only get individual resources of this type")
        if ask.subresource:
            return _no("cannot get subresource")
        return self._related(node, ask, SINGLE[ask.group, ask.resource])

    def _claim_status(self, node: str, ask: Ask) -> Decision:
        if ask.verb not in ("update", "patch"):
            return _no("can only update/patch individual resources of this type")
        return self._related(node, ask, SINGLE[ask.group, ask.resource])

    def _token(self, node: str, ask: Ask) -> Decision:
        if ask.verb == "get" and not ask.subresource:
            return self._related(node, ask, "ServiceAccount")
        if ask.verb != "create" or not ask.name:
            return _no("can only create tokens for individual service accounts")
        if ask.subresource != "token":
            return _no("can only create token subresource of serviceaccount")
        return self._related(node, ask, "ServiceAccount")

    def _pod(self, node: str, ask: Ask) -> Decision:
        if ask.subresource == "status":
            return ALLOWED if ask.verb in ("update", "patch") else _no()
        if ask.subresource == "eviction":
            return ALLOWED if ask.verb == "create" else _no()
        if ask.subresource:
            return _no()
        if ask.verb == "get":
            return self._related(node, ask, "Pod")
        if ask.verb in ("list", "watch"):
            only = "can only list/watch pods with spec.nodeName field selector"
            return ALLOWED if ask.on_node == node else _no(only)
        return ALLOWED if ask.verb in ("create", "delete") else _no()

    def _related(self, node: str, ask: Ask, kind: str) -> Decision:
        """Does a pod on that node use it?"""
        if not ask.name:
            return _no("No Object name found")
        if kind == "VolumeAttachment":
            attachment = self._source.get(kind, "", ask.name) or {}
            related = (attachment.get("spec") or {}).get("nodeName") == node
        elif kind == "PersistentVolume":
            claim = ((self._source.get(kind, "", ask.name) or {}).get("spec") or {}).get("claimRef") or {}
            related = self._used(node, claim.get("namespace", ""), "PersistentVolumeClaim", claim.get("name", ""))
        else:
            related = self._used(node, ask.namespace, kind, ask.name)
        return ALLOWED if related else _no(f"no relationship found between node '{node}' and this object")

    def _used(self, node: str, namespace: str, kind: str, name: str) -> bool:
        if not namespace:
            return False
        pods = (pod for pod in self._source.list("Pod", namespace) if pod["spec"].get("nodeName") == node)
        return any((kind, name) in uses(pod) for pod in pods)


def _own(node: str, ask: Ask) -> Decision:
    """Leases and CSINodes: a node has one of each, by its own name."""
    verbs, only_these, only_own = OWN[ask.group, ask.resource]
    if ask.verb not in verbs:
        return _no(only_these)
    if ask.resource == "leases" and ask.namespace != LEASES:
        return _no(f'can only access leases in the "{LEASES}" system namespace')
    if ask.subresource:
        return _no(f"cannot authorize {'CSINode' if ask.resource == 'csinodes' else 'lease'} subresources")
    return ALLOWED if ask.verb == "create" or ask.name == node else _no(only_own)


def _node(node: str, ask: Ask) -> Decision:
    if ask.subresource == "status":
        return ALLOWED if ask.verb in ("update", "patch") else _no()
    if ask.subresource:
        return _no()
    if ask.verb in ("create", "update", "patch") or (ask.verb in ("get", "list", "watch") and ask.name == node):
        return ALLOWED
    if ask.verb in ("get", "list", "watch"):
        what = f"'{ask.name}'" if ask.name else "all nodes"
        return _no(f"node '{node}' cannot read {what}, only its own Node object")
    return _no()


def uses(pod: Manifest) -> set[tuple[str, str]]:
    """(kind, name) of everything in its namespace that a pod's kubelet must read."""
    return {("Pod", meta.name(pod)), *_uses(pod["spec"], meta.name(pod))}


def _uses(spec: Manifest, pod: str) -> Iterator[tuple[str, str]]:
    yield "ServiceAccount", spec.get("serviceAccountName", "")
    yield from (("Secret", secret.get("name", "")) for secret in spec.get("imagePullSecrets") or ())
    for volume in spec.get("volumes") or ():
        yield from _of_volume(volume, pod)
    for place in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(place) or ():
            for source in container.get("envFrom") or ():
                yield "ConfigMap", (source.get("configMapRef") or {}).get("name", "")
                yield "Secret", (source.get("secretRef") or {}).get("name", "")
            for variable in container.get("env") or ():
                source = variable.get("valueFrom") or {}
                yield "ConfigMap", (source.get("configMapKeyRef") or {}).get("name", "")
                yield "Secret", (source.get("secretKeyRef") or {}).get("name", "")


def _of_volume(volume: Manifest, pod: str) -> Iterator[tuple[str, str]]:
    yield "Secret", (volume.get("secret") or {}).get("secretName", "")
    yield "ConfigMap", (volume.get("configMap") or {}).get("name", "")
    yield "PersistentVolumeClaim", (volume.get("persistentVolumeClaim") or {}).get("claimName", "")
    if "ephemeral" in volume:
        yield "PersistentVolumeClaim", f"{pod}-{volume.get('name', '')}"
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield "Secret", (source.get("secret") or {}).get("name", "")
        yield "ConfigMap", (source.get("configMap") or {}).get("name", "")
