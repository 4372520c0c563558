"""The roles and bindings that every cluster is born with, out of `data/rbac.txt`.

Mirrors:  kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy
Left out: putting changed ones right at every start of the API server (its reconciliation).
"""

from functools import cache
from pathlib import Path
from typing import Any

from cluster.objects import Manifest

FILE = Path(__file__).resolve().parent.parent / "data" / "rbac.txt"
API, GROUP = "rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"
READ = ["get", "list", "watch"]
WRITE = ["create", "delete", "deletecollection", "patch", "update"]
VERBS = {"read": READ, "write": WRITE, "all": sorted(READ + WRITE)}
EVENTS = {"verbs": ["create", "patch", "update"], "apiGroups": ["", "events.k8s.io"], "resources": ["events"]}
CONTROLLER = "system:controller:"


@cache
def policy() -> tuple[Manifest, ...]:
    """All objects, ClusterRoles first, then their bindings, then Roles and theirs; by name."""
    objects: list[Manifest] = []
    for line in FILE.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            _read(line, objects)
    order = {kind: place for place, kind in enumerate(("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"))}
    return tuple(sorted(objects, key=lambda obj: (order[obj["kind"]], _full_name(obj))))


@cache
def rules_of(name: str) -> tuple[dict[str, Any], ...]:
    """The rules of a ClusterRole as a new cluster has them."""
    return tuple(next(r for r in policy() if r["kind"] == "ClusterRole" and r["metadata"]["name"] == name)["rules"])


def _full_name(obj: Manifest) -> tuple[str, str]:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


def _read(line: str, objects: list[Manifest]) -> None:
    """One line of the file. The rules of a role follow it."""
    words = line.split()
    if line[0] == " ":
        role = next(obj for obj in reversed(objects) if obj["kind"].endswith("Role"))
        role["rules"].append(_rule(words))
    elif words[0] == "controller":
        full = CONTROLLER + words[1]
        objects += [_binding("", full, full, [f"account:kube-system:{words[1]}"]), _role("", full, [])]
    elif words[0] == "role":
        namespaced = len(words) == 3 and words[2][0] not in "+="
        objects.append(_role(words[1], words[2], []) if namespaced else _role("", words[1], words[2:]))
    else:
        cluster_wide = len(words) == 3 or (":" in words[3] and words[3].split(":")[0] in ("user", "group", "account"))
        where, name, granted, *subjects = ["", *words[1:]] if cluster_wide else words[1:]
        objects.append(_binding(where, name, granted, subjects))


def _head(kind: str, namespace: str, name: str, labels: dict[str, str]) -> Manifest:
    metadata: Manifest = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata["labels"] = {"kubernetes.io/bootstrapping": "rbac-defaults", **labels}
    metadata["annotations"] = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
    return {"kind": kind, "apiVersion": API, "metadata": metadata}


def _role(namespace: str, name: str, marks: list[str]) -> Manifest:
    counts = {f"{GROUP}/aggregate-to-{mark[1:]}": "true" for mark in marks if mark[0] == "+"}
    role: Manifest = {**_head("Role" if namespace else "ClusterRole", namespace, name, counts), "rules": []}
    for mark in marks:
        if mark[0] == "=":
            selector = {"matchLabels": {f"{GROUP}/aggregate-to-{mark[1:]}": "true"}}
            role["rules"] = None  # Its controller's business.
            role["aggregationRule"] = {"clusterRoleSelectors": [selector]}
    return role


def _rule(words: list[str]) -> dict[str, Any]:
    if words == ["EVENTS"]:
        return EVENTS
    verbs = VERBS.get(words[0]) or words[0].split(",")
    if words[1] == "url":
        return {"verbs": verbs, "nonResourceURLs": words[2].split(",")}
    groups = ["" if group == "core" else group for group in words[1].split(",")]
    names = {"resourceNames": words[3].split(",")} if len(words) > 3 else {}
    return {"verbs": verbs, "apiGroups": groups, "resources": words[2].split(","), **names}


def _binding(namespace: str, name: str, role: str, subjects: list[str]) -> Manifest:
    kind, of = ("RoleBinding", "Role") if namespace else ("ClusterRoleBinding", "ClusterRole")
    binding = _head(kind, namespace, name, {})
    if subjects:
        binding["subjects"] = [_subject(*subject.split(":", 1)) for subject in subjects]
    return {**binding, "roleRef": {"apiGroup": GROUP, "kind": of, "name": role}}


def _subject(kind: str, name: str) -> Manifest:
    if kind == "account":
        namespace, _, account = name.partition(":")
        return {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return {"kind": kind.capitalize(), "apiGroup": GROUP, "name": name}
