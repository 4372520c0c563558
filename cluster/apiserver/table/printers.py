"""How each kind prints: its columns, and a function from an object to the cells of its row.

Cells always include the wide columns: the client leaves them out. `now` is microseconds since 1970 in simulated time.

Mirrors:  kubernetes/pkg/printers/internalversion/printers.go
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from cluster.apiserver.table import pods
from cluster.apiserver.table.columns import AGE, CONTAINERS, CREATED, IMAGES, NAME, Column
from cluster.apiserver.table.durations import since
from cluster.objects import Manifest, labels, meta

NONE = "<none>"
MOST = 3  # Addresses or ports shown before "+ 2 more...".


class Printer(NamedTuple):
    columns: tuple[Column, ...]
    cells: Callable[[Manifest, int], list[Any]]
    conditions: Callable[[Manifest], list[Manifest]] | None = None


def _age(obj: Manifest, now: int) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def generic(obj: Manifest, now: int) -> list[Any]:
    """A kind without a printer of its own: its name, and when it was created."""
    return [meta.name(obj), obj["metadata"].get("creationTimestamp")]


def _simple(*columns: tuple[Column, Callable[[Manifest], Any]], age: bool = True) -> Printer:
    """Name, the given columns, Age."""

    def cells(obj: Manifest, now: int) -> list[Any]:
        row = [meta.name(obj), *(read(obj) for _, read in columns)]
        return [*row, _age(obj, now)] if age else row

    return Printer((NAME, *(column for column, _ in columns), *((AGE,) if age else ())), cells)


def _field(path: str, empty: Any = "") -> Callable[[Manifest], Any]:
    """A reader of one field; what is missing or empty reads as `empty`."""
    keys = path.split(".")

    def read(obj: Manifest) -> Any:
        value: Any = obj
        for key in keys:
            value = (value or {}).get(key)
        return empty if value is None or value == "" else value

    return read


# --- nodes and namespaces ---------------------------------------------------------------------------------------

NODE_COLUMNS = (
    NAME,
    Column("Status", text="The status of the node"),
    Column("Roles", text="The roles of the node"),
    AGE,
    Column("Version", doc="core_v1.NodeSystemInfo.kubeletVersion"),
    Column("Internal-IP", doc="core_v1.NodeStatus.addresses", wide=True, joint=" "),
    Column("External-IP", doc="core_v1.NodeStatus.addresses", wide=True, joint=" "),
    Column("OS-Image", doc="core_v1.NodeSystemInfo.osImage", wide=True),
    Column("Kernel-Version", doc="core_v1.NodeSystemInfo.kernelVersion", wide=True),
    Column("Container-Runtime", doc="core_v1.NodeSystemInfo.containerRuntimeVersion", wide=True),
)
_ROLE = "node-role.kubernetes.io/"


def node(obj: Manifest, now: int) -> list[Any]:
    status = obj.get("status") or {}
    info = status.get("nodeInfo") or {}
    addresses = status.get("addresses") or []
    kernel = info.get("kernelVersion") or "<unknown>"
    if info.get("architecture"):
        kernel += f" ({info['architecture']})"
    return [
        meta.name(obj),
        _node_status(obj),
        ",".join(_roles(obj)) or NONE,
        _age(obj, now),
        info.get("kubeletVersion", ""),
        next((a["address"] for a in addresses if a["type"] == "InternalIP"), NONE),
        next((a["address"] for a in addresses if a["type"] == "ExternalIP"), NONE),
        info.get("osImage") or "<unknown>",
        kernel,
        info.get("containerRuntimeVersion") or "<unknown>",
    ]


def _node_status(obj: Manifest) -> str:
    ready = next((c for c in (obj.get("status") or {}).get("conditions") or () if c["type"] == "Ready"), None)
    words = ["Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"]
    if (obj.get("spec") or {}).get("unschedulable"):
        words.append("SchedulingDisabled")
    return ",".join(words)


def _roles(obj: Manifest) -> list[str]:
    found = set()
    for key, value in meta.labels(obj).items():
        if key.startswith(_ROLE) and len(key) > len(_ROLE):
            found.add(key.removeprefix(_ROLE))
        elif key == "kubernetes.io/role" and value:
            found.add(value)
    return sorted(found)


# --- services and their endpoints -------------------------------------------------------------------------------

SERVICE_COLUMNS = (
    NAME,
    Column("Type", doc="core_v1.ServiceSpec.type"),
    Column("Cluster-IP", doc="core_v1.ServiceSpec.clusterIP", joint=" "),
    Column("External-IP", doc="core_v1.ServiceSpec.externalIPs", joint="  "),
    Column("Port(s)", doc="core_v1.ServiceSpec.ports"),
    AGE,
    Column("Selector", doc="core_v1.ServiceSpec.selector", wide=True),
)


def service(obj: Manifest, now: int) -> list[Any]:
    spec = obj.get("spec") or {}
    ips = spec.get("clusterIPs") or []
    ports = ",".join(_service_port(port) for port in spec.get("ports") or ())
    return [
        meta.name(obj),
        spec.get("type", ""),
        ips[0] if ips else spec.get("clusterIP") or NONE,
        _external_ip(spec, obj.get("status") or {}),
        ports or NONE,
        _age(obj, now),
        map_text(spec.get("selector")),
    ]


def _service_port(port: Manifest) -> str:
    at_node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{at_node}/{port.get('protocol', 'TCP')}"


def _external_ip(spec: Manifest, status: Manifest) -> str:
    external = spec.get("externalIPs") or []
    if spec.get("type") == "ExternalName":
        return str(spec.get("externalName", ""))
    if spec.get("type") != "LoadBalancer":
        return ",".join(external) or NONE
    ingress = (status.get("loadBalancer") or {}).get("ingress") or ()
    given = [i.get("ip") or i.get("hostname") or "" for i in ingress]
    return ",".join([*sorted(filter(None, given)), *external]) or "<pending>"


def endpoints(obj: Manifest) -> str:
    subsets = obj.get("subsets") or []
    if not subsets:
        return NONE
    found = []
    for subset in subsets:
        for port in subset.get("ports") or [None]:
            for address in subset.get("addresses") or ():
                found.append(address["ip"] if port is None else _host_port(address["ip"], port["port"]))
    return _with_more(found)


def _host_port(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def _with_more(found: list[str]) -> str:
    shown = ",".join(found[:MOST])
    return f"{shown} + {len(found) - MOST} more..." if len(found) > MOST else shown


def slice_ports(obj: Manifest) -> str:
    ports = obj.get("ports") or ()
    return (
        _with_more([str(p["port"]) if p.get("port") is not None else p.get("name") or "*" for p in ports]) or "<unset>"
    )


def slice_endpoints(obj: Manifest) -> str:
    return (
        _with_more([a for endpoint in obj.get("endpoints") or () for a in endpoint.get("addresses") or ()]) or "<unset>"
    )


# --- workloads --------------------------------------------------------------------------------------------------

DEPLOYMENT_COLUMNS = (
    NAME,
    Column("Ready", text="Number of the pod with ready state"),
    Column("Up-to-date", doc="apps_v1.DeploymentStatus.updatedReplicas"),
    Column("Available", doc="apps_v1.DeploymentStatus.availableReplicas"),
    AGE,
    CONTAINERS,
    IMAGES,
    Column("Selector", doc="apps_v1.DeploymentSpec.selector", wide=True),
)
REPLICASET_COLUMNS = (
    NAME,
    Column("Desired", "integer", "apps_v1.ReplicaSetSpec.replicas"),
    Column("Current", "integer", "apps_v1.ReplicaSetStatus.replicas"),
    Column("Ready", "integer", "apps_v1.ReplicaSetStatus.readyReplicas"),
    AGE,
    CONTAINERS,
    IMAGES,
    Column("Selector", doc="apps_v1.ReplicaSetSpec.selector", wide=True),
)


def deployment(obj: Manifest, now: int) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        meta.name(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        _age(obj, now),
        *_template(spec),
        selector_text(spec.get("selector")),
    ]


def replicaset(obj: Manifest, now: int) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [
        meta.name(obj),
        spec.get("replicas", 0),
        status.get("replicas", 0),
        status.get("readyReplicas", 0),
        _age(obj, now),
        *_template(spec),
        selector_text(spec.get("selector")),
    ]


def _template(spec: Manifest) -> tuple[str, str]:
    """Names and images of the pod template's containers."""
    containers = ((spec.get("template") or {}).get("spec") or {}).get("containers") or ()
    return ",".join(c["name"] for c in containers), ",".join(c.get("image", "") for c in containers)


def selector_text(selector: Manifest | None) -> str:
    """`a=b,c in (x,y),!d`, sorted by key."""
    compiled = labels.of(selector)
    texts = [_requirement(r) for r in sorted(compiled.requirements)] if compiled else []
    return ",".join(texts) or NONE


def _requirement(requirement: labels.Requirement) -> str:
    key, operator, values = requirement
    if operator in ("exists", "absent"):
        return key if operator == "exists" else f"!{key}"
    if operator == "in" and len(values) == 1:
        return f"{key}={values[0]}"
    if operator in ("gt", "lt"):
        return f"{key}{'>' if operator == 'gt' else '<'}{values[0]}"
    return f"{key} {operator} ({','.join(sorted(values))})"


def map_text(selector: dict[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((selector or {}).items())) or NONE


# --- events -----------------------------------------------------------------------------------------------------

EVENT_COLUMNS = (
    Column("Last Seen", doc="core_v1.Event.lastTimestamp"),
    Column("Type", doc="core_v1.Event.type"),
    Column("Reason", doc="core_v1.Event.reason"),
    Column("Object", doc="core_v1.Event.involvedObject"),
    Column("Subobject", doc="core_v1.ObjectReference.fieldPath", wide=True),
    Column("Source", doc="core_v1.Event.source", wide=True),
    Column("Message", doc="core_v1.Event.message"),
    Column("First Seen", doc="core_v1.Event.firstTimestamp", wide=True),
    Column("Count", doc="core_v1.Event.count", wide=True),
    NAME._replace(wide=True),
)
_OLD_NAMES = {  # events.k8s.io calls the core group's fields otherwise.
    "regarding": "involvedObject",
    "note": "message",
    "deprecatedSource": "source",
    "deprecatedFirstTimestamp": "firstTimestamp",
    "deprecatedLastTimestamp": "lastTimestamp",
    "deprecatedCount": "count",
    "reportingController": "reportingComponent",
}


def event(obj: Manifest, now: int) -> list[Any]:
    told = {_OLD_NAMES.get(key, key): value for key, value in obj.items()}
    about, series = told.get("involvedObject") or {}, told.get("series")
    first = since(told.get("firstTimestamp") or told.get("eventTime"), now)
    last = since(told["lastTimestamp"], now) if told.get("lastTimestamp") else first
    count = told.get("count") or 1
    if series:
        last, count = since(series.get("lastObservedTime"), now), series.get("count", 0)
    target = about.get("kind", "").lower() + (f"/{about['name']}" if about.get("name") else "")
    return [
        last,
        told.get("type", ""),
        told.get("reason", ""),
        target,
        about.get("fieldPath", ""),
        _event_source(told),
        told.get("message", "").strip(),
        first,
        count,
        meta.name(obj),
    ]


def _event_source(told: Manifest) -> str:
    source = told.get("source") or {}
    component, instance = source.get("component", ""), source.get("host", "")
    if not component:
        component, instance = told.get("reportingComponent", ""), told.get("reportingInstance", "")
    return f"{component}, {instance}" if instance else component


SCALE_COLUMNS = (
    NAME._replace(format=""),
    Column("Desired", "integer", "autoscaling_v1.ScaleSpec.replicas"),
    Column("Available", "integer", "autoscaling_v1.ScaleStatus.replicas"),
    AGE,
)


def scale(obj: Manifest, now: int) -> list[Any]:
    desired, there = (obj.get("spec") or {}).get("replicas", 0), (obj.get("status") or {}).get("replicas", 0)
    return [meta.name(obj), desired, there, _age(obj, now)]


# --- the rest ---------------------------------------------------------------------------------------------------


def _sizes(*fields: str) -> Callable[[Manifest], int]:
    return lambda obj: sum(len(obj.get(field) or ()) for field in fields)


def _percent_or_number(path: str) -> Callable[[Manifest], str]:
    read = _field(path)
    return lambda obj: "N/A" if read(obj) == "" else str(read(obj))


def priority_class(obj: Manifest, now: int) -> list[Any]:
    policy = obj.get("preemptionPolicy") or ""
    return [meta.name(obj), obj.get("value", 0), bool(obj.get("globalDefault")), _age(obj, now), policy]


PRIORITY_COLUMNS = (
    NAME,
    Column("Value", "integer", "scheduling_v1.PriorityClass.value"),
    Column("Global-Default", "boolean", "scheduling_v1.PriorityClass.globalDefault"),
    AGE,
    Column("PreemptionPolicy", doc="scheduling_v1.PriorityClass.preemptionPolicy"),
)

_EVENT = Printer(EVENT_COLUMNS, event)
GENERIC = Printer((NAME, CREATED), generic)

PRINTERS: dict[tuple[str, str], Printer] = {
    ("", "Pod"): Printer(pods.COLUMNS, pods.cells, pods.conditions),
    ("", "Node"): Printer(NODE_COLUMNS, node),
    ("", "Namespace"): _simple((Column("Status", text="The status of the namespace"), _field("status.phase"))),
    ("", "Service"): Printer(SERVICE_COLUMNS, service),
    ("", "Endpoints"): _simple((Column("Endpoints", doc="core_v1.Endpoints.subsets"), endpoints)),
    ("", "Event"): _EVENT,
    ("events.k8s.io", "Event"): _EVENT,
    ("", "ConfigMap"): _simple((Column("Data", doc="core_v1.ConfigMap.data"), _sizes("data", "binaryData"))),
    ("", "Secret"): _simple(
        (Column("Type", doc="core_v1.Secret.type"), _field("type")),
        (Column("Data", doc="core_v1.Secret.data"), _sizes("data")),
    ),
    ("", "ServiceAccount"): _simple(),
    ("apps", "Deployment"): Printer(DEPLOYMENT_COLUMNS, deployment),
    ("apps", "ReplicaSet"): Printer(REPLICASET_COLUMNS, replicaset),
    ("autoscaling", "Scale"): Printer(SCALE_COLUMNS, scale),
    ("coordination.k8s.io", "Lease"): _simple(
        (Column("Holder", doc="coordination_v1.LeaseSpec.holderIdentity"), _field("spec.holderIdentity"))
    ),
    ("discovery.k8s.io", "EndpointSlice"): _simple(
        (Column("AddressType", doc="discovery_v1.EndpointSlice.addressType"), _field("addressType")),
        (Column("Ports", doc="discovery_v1.EndpointSlice.ports"), slice_ports),
        (Column("Endpoints", doc="discovery_v1.EndpointSlice.endpoints"), slice_endpoints),
    ),
    ("policy", "PodDisruptionBudget"): _simple(
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
            _field("status.disruptionsAllowed", 0),
        ),
    ),
    ("scheduling.k8s.io", "PriorityClass"): Printer(PRIORITY_COLUMNS, priority_class),
}


def printer_of(group: str, kind: str) -> Printer:
    return PRINTERS.get((group, kind), GENERIC)


def names(columns: Iterable[Column]) -> list[str]:
    return [column.name for column in columns]
