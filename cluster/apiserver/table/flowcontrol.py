"""What flowcontrol.apiserver.k8s.io prints.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go
"""

from typing import Any

from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.printer import NONE, Printer, age
from cluster.objects import Manifest, meta

LIMITED = "flowcontrol_v1.LimitedPriorityLevelConfiguration"
GROUP = "flowcontrol.apiserver.k8s.io"


def flow_schema(obj: Manifest, now: int) -> list[Any]:
    spec = obj.get("spec") or {}
    conditions = (obj.get("status") or {}).get("conditions") or []
    dangling = next((c.get("status", "") for c in conditions if c.get("type") == "Dangling"), "?")
    level = (spec.get("priorityLevelConfiguration") or {}).get("name", "")
    method = (spec.get("distinguisherMethod") or {}).get("type", NONE)
    return [meta.name(obj), level, spec.get("matchingPrecedence", 0), method, age(obj, now), dangling]


def priority_level(obj: Manifest, now: int) -> list[Any]:
    spec = obj.get("spec") or {}
    limited = spec.get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    sizes = [queuing.get(name, NONE) for name in ("queues", "handSize", "queueLengthLimit")]
    return [meta.name(obj), spec.get("type", ""), limited.get("nominalConcurrencyShares", NONE), *sizes, age(obj, now)]


PRINTERS: dict[tuple[str, str], Printer] = {
    (GROUP, "FlowSchema"): Printer(
        (
            NAME,
            Column("PriorityLevel", doc="flowcontrol_v1.PriorityLevelConfigurationReference.name"),
            Column("MatchingPrecedence", doc="flowcontrol_v1.FlowSchemaSpec.matchingPrecedence"),
            Column("DistinguisherMethod", doc="flowcontrol_v1.FlowSchemaSpec.distinguisherMethod"),
            AGE,
            Column("MissingPL", text="references a broken or non-existent PriorityLevelConfiguration"),
        ),
        flow_schema,
    ),
    (GROUP, "PriorityLevelConfiguration"): Printer(
        (
            NAME,
            Column("Type", doc="flowcontrol_v1.PriorityLevelConfigurationSpec.type"),
            Column(
                "NominalConcurrencyShares",
                doc=f"{LIMITED}.nominalConcurrencyShares",
                mends=(("NCS(k) Bigger", "NCS(k)\n\nBigger"),),
            ),
            Column("Queues", doc="flowcontrol_v1.QueuingConfiguration.queues"),
            Column("HandSize", doc="flowcontrol_v1.QueuingConfiguration.handSize"),
            Column(
                "QueueLengthLimit",
                doc="flowcontrol_v1.QueuingConfiguration.queueLengthLimit",
                mends=(("rejected. This", "rejected.  This"),),
            ),
            AGE,
        ),
        priority_level,
    ),
}
