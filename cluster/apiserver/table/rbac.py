"""What rbac.authorization.k8s.io prints: bindings name their role and, wide, their subjects.

Roles and ClusterRoles have no printer of their own.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go (printRoleBinding, printClusterRoleBinding)
"""

from typing import Any

from cluster.apiserver.descriptions import describe
from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.printer import Printer, age
from cluster.objects import Manifest, meta


def binding(obj: Manifest, now: int) -> list[Any]:
    role = obj.get("roleRef") or {}
    return [meta.name(obj), f"{role.get('kind', '')}/{role.get('name', '')}", age(obj, now), *_subjects(obj)]


def _subjects(obj: Manifest) -> list[str]:
    """Users, groups, and service accounts as namespace/name."""
    found: dict[str, list[str]] = {"User": [], "Group": [], "ServiceAccount": []}
    for subject in obj.get("subjects") or []:
        name = subject.get("name", "")
        if subject.get("kind") == "ServiceAccount":
            name = f"{subject.get('namespace', '')}/{name}"
        found.setdefault(subject.get("kind", ""), []).append(name)
    return [", ".join(found[kind]) for kind in ("User", "Group", "ServiceAccount")]


def _columns(kind: str) -> tuple[Column, ...]:
    subjects = (
        Column(f"{shown}", text=f"{shown} in the {kind[0].lower()}{kind[1:]}", wide=True)
        for shown in ("Users", "Groups", "ServiceAccounts")
    )
    role = describe(f"rbac_v1.{kind}.roleRef").removesuffix(" This field is immutable.")
    return NAME, Column("Role", text=role), AGE, *subjects


PRINTERS: dict[tuple[str, str], Printer] = {
    ("rbac.authorization.k8s.io", kind): Printer(_columns(kind), binding)
    for kind in ("RoleBinding", "ClusterRoleBinding")
}
