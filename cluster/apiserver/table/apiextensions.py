"""What apiextensions.k8s.io prints of its definitions.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/registry/customresourcedefinition/tableconvertor
"""

from typing import Any

from cluster.apiserver.table.columns import CREATED, NAME, Column
from cluster.apiserver.table.printer import Printer
from cluster.objects import Manifest, meta


def definition(obj: Manifest, now: int) -> list[Any]:
    spec = obj.get("spec") or {}
    names, conditions = spec.get("names") or {}, (obj.get("status") or {}).get("conditions") or []
    served = sorted(
        version["name"] + ("(storage)" if version.get("storage") else "")
        for version in spec.get("versions") or []
        if version.get("served")
    )
    established = any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)
    return [
        meta.name(obj),
        spec.get("scope", ""),
        ",".join(served),
        obj["metadata"].get("creationTimestamp"),
        spec.get("group", ""),
        names.get("kind", ""),
        ",".join(names.get("shortNames") or []),
        established,
    ]


PRINTERS: dict[tuple[str, str], Printer] = {
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Printer(
        (
            NAME,
            Column("Scope", text="Cluster/Namespaced"),
            Column("Versions", text="Served versions"),
            CREATED,
            Column("Group", text="API group", wide=True),
            Column("Kind", text="CustomResource kind", wide=True),
            Column("ShortNames", text="Short names", wide=True),
            Column("Established", "boolean", text="Established status", wide=True),
        ),
        definition,
    ),
}
