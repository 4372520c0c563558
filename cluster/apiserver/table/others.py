"""How the kinds of the smaller groups print, and the Scale that travels only in answers."""

from collections.abc import Callable
from typing import Any

from cluster.apiserver.table import core
from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.printer import Printer, age, field, simple, with_more
from cluster.objects import Manifest, meta


def slice_ports(obj: Manifest) -> str:
    ports = obj.get("ports") or ()
    return (
        with_more([str(p["port"]) if p.get("port") is not None else p.get("name") or "*" for p in ports]) or "<unset>"
    )


def slice_endpoints(obj: Manifest) -> str:
    return (
        with_more([a for endpoint in obj.get("endpoints") or () for a in endpoint.get("addresses") or ()]) or "<unset>"
    )


SCALE_COLUMNS = (
    NAME._replace(format=""),
    Column("Desired", "integer", "autoscaling_v1.ScaleSpec.replicas"),
    Column("Available", "integer", "autoscaling_v1.ScaleStatus.replicas"),
    AGE,
)


def scale(obj: Manifest, now: int) -> list[Any]:
    desired, there = (obj.get("spec") or {}).get("replicas", 0), (obj.get("status") or {}).get("replicas", 0)
    return [meta.name(obj), desired, there, age(obj, now)]


def _percent_or_number(path: str) -> Callable[[Manifest], str]:
    read = field(path)
    return lambda obj: "N/A" if read(obj) == "" else str(read(obj))


def priority_class(obj: Manifest, now: int) -> list[Any]:
    policy = obj.get("preemptionPolicy") or ""
    return [meta.name(obj), obj.get("value", 0), bool(obj.get("globalDefault")), age(obj, now), policy]


PRIORITY_COLUMNS = (
    NAME,
    Column("Value", "integer", "scheduling_v1.PriorityClass.value"),
    Column("Global-Default", "boolean", "scheduling_v1.PriorityClass.globalDefault"),
    AGE,
    Column("PreemptionPolicy", doc="scheduling_v1.PriorityClass.preemptionPolicy"),
)


PRINTERS: dict[tuple[str, str], Printer] = {
    ("events.k8s.io", "Event"): core.EVENT,
    ("autoscaling", "Scale"): Printer(SCALE_COLUMNS, scale),
    ("coordination.k8s.io", "Lease"): simple(
        (Column("Holder", doc="coordination_v1.LeaseSpec.holderIdentity"), field("spec.holderIdentity"))
    ),
    ("discovery.k8s.io", "EndpointSlice"): simple(
        (Column("AddressType", doc="discovery_v1.EndpointSlice.addressType"), field("addressType")),
        (Column("Ports", doc="discovery_v1.EndpointSlice.ports"), slice_ports),
        (Column("Endpoints", doc="discovery_v1.EndpointSlice.endpoints"), slice_endpoints),
    ),
    ("policy", "PodDisruptionBudget"): simple(
        (
            Column("Min Available", text="The minimum number of pods that must be available."),
            _percent_or_number("spec.minAvailable"),
        ),
        (
            Column("Max Unavailable", text="The maximum number of pods that may be unavailable."),
            _percent_or_number("spec.maxUnavailable"),
        ),
        (
            Column(
                "Allowed Disruptions", "integer", text="Calculated number of pods that may be disrupted at this time."
            ),
            field("status.disruptionsAllowed", 0),
        ),
    ),
    ("scheduling.k8s.io", "PriorityClass"): Printer(PRIORITY_COLUMNS, priority_class),
}
