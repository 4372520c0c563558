"""metrics.k8s.io: kinds that a server behind this one answers for. Nothing of them is stored here.

An APIService with a Service says that requests for a group and version are to be passed on to that Service's pods. A
real API server asks those which kinds they serve; here the names of the kinds stand in this file, one entry for each
API that a program of the catalogue knows, and they are served for as long as there is such an APIService.

Mirrors:  kubernetes-sigs/metrics-server/pkg/api (install.go, node.go, pod.go: names, verbs, columns)
Read next: apiserver/aggregation.py for who answers.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from cluster.apiserver.registry.resource import Resource
from cluster.apiserver.table.columns import NAME, Column
from cluster.apiserver.table.printer import Printer
from cluster.objects import Manifest, meta, quantity

METRICS, BETA = "metrics.k8s.io", "v1beta1"
MEASURED = ("cpu", "memory")
_TEXTS = {"cpu": "CPU usage of the last window.", "memory": "Memory in use (working set)."}
_COLUMNS = tuple(Column(name, text=text) for name, text in _TEXTS.items())
_REF, _META = "#/components/schemas/", "io.k8s.apimachinery.pkg.apis.meta.v1"
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"


def _usage(obj: Manifest) -> Iterable[Manifest]:
    """What each container uses; of a node one entry."""
    return [container["usage"] for container in obj["containers"]] if "containers" in obj else [obj["usage"]]


def _cells(obj: Manifest, now: int) -> list[Any]:
    """Name, CPU and memory in whole millicores and KiB, window: as metrics-server prints them."""
    parts = list(_usage(obj))
    cpu = sum(quantity.milli(part["cpu"]) for part in parts)
    memory = sum(quantity.value(part["memory"]) for part in parts)
    return [meta.name(obj), f"{cpu}m", f"{memory // 1024}Ki", obj["window"]]


_PRINTER = Printer((NAME, *_COLUMNS, Column("Window", text="How long was measured.")), _cells)


def _schemas(kind: str, own: Manifest) -> Manifest:
    """The kind and its list as OpenAPI. `own`: fields beside metadata, timestamp and window."""
    text = {"type": "string"}
    heads = {"apiVersion": text, "kind": text}

    def one(name: str, properties: Manifest, required: list[str]) -> Manifest:
        marks = [{"group": METRICS, "version": BETA, "kind": name}]
        return {"type": "object", "required": required, "properties": properties,
                "x-kubernetes-group-version-kind": marks}  # fmt: skip

    measured = {
        **heads,
        "metadata": {"allOf": [{"$ref": f"{_REF}{_META}.ObjectMeta"}]},
        "timestamp": {"$ref": f"{_REF}{_META}.Time", "description": "The end of the interval that was measured."},
        "window": {**text, "description": "Its length, such as 15s."},
        **own,
    }
    items = {"type": "array", "items": {"$ref": f"{_REF}{_name(kind)}"}}
    listed = {**heads, "metadata": {"allOf": [{"$ref": f"{_REF}{_META}.ListMeta"}]}, "items": items}
    return {
        _name(kind): one(kind, measured, ["timestamp", "window", *own]),
        _name(f"{kind}List"): one(f"{kind}List", listed, ["items"]),
    }


def _name(kind: str) -> str:
    return f"io.k8s.metrics.{BETA}.{kind}"


_AMOUNTS = {"type": "object", "additionalProperties": {"$ref": f"{_REF}{_QUANTITY}"}}
_OF_NODE = {"usage": {**_AMOUNTS, "description": "What the machine uses, all its processes together."}}
_CONTAINER = {"type": "object", "properties": {"name": {"type": "string"}, "usage": _AMOUNTS}}
_OF_POD = {"containers": {"type": "array", "items": _CONTAINER, "description": "What each container uses."}}

RESOURCES = (
    Resource(
        METRICS, BETA, "NodeMetrics", "nodes", namespaced=False, verbs=("get", "list"), printer=_PRINTER,
        elsewhere=True, openapi=partial(_schemas, "NodeMetrics", _OF_NODE),
    ),
    Resource(
        METRICS, BETA, "PodMetrics", "pods", verbs=("get", "list"), printer=_PRINTER,
        elsewhere=True, openapi=partial(_schemas, "PodMetrics", _OF_POD),
    ),
)  # fmt: skip
KNOWN = frozenset((resource.group, resource.version) for resource in RESOURCES)


def served(entries: Iterable[Manifest]) -> tuple[Resource, ...]:
    """The kinds for which these APIServices name somebody else."""
    named = {(entry["spec"].get("group", ""), entry["spec"]["version"]) for entry in entries if is_remote(entry)}
    return tuple(resource for resource in RESOURCES if (resource.group, resource.version) in named)


def is_remote(entry: Manifest) -> bool:
    """Does an APIService name a Service that answers?"""
    return entry["spec"].get("service") is not None
