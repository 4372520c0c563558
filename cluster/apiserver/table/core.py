"""How the core group's kinds print: nodes, namespaces, services, configuration, events. Pods have pods.py."""

from typing import Any

from cluster.apiserver.table import pods
from cluster.apiserver.table.columns import AGE, NAME, Column
from cluster.apiserver.table.durations import since
from cluster.apiserver.table.printer import NONE, Printer, age, field, map_text, simple, sizes, with_more
from cluster.objects import Manifest, meta

# --- nodes ------------------------------------------------------------------------------------------------------

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
        age(obj, now),
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
        age(obj, now),
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
    return with_more(found)


def _host_port(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


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


# --- quotas and the health of components ------------------------------------------------------------------------

QUOTA_COLUMNS = (
    NAME,
    Column("Request", text="Request represents a minimum amount of cpu/memory that a container may consume."),
    Column(
        "Limit",
        text=(
            "Limits control the maximum amount of cpu/memory that a container may use independent of contention on"
            " the node."
        ),
    ),
    AGE,
)
COMPONENT_COLUMNS = (
    NAME,
    Column("Status", text="Status of the component conditions"),
    Column("Message", text="Message of the component conditions"),
    Column("Error", text="Error of the component conditions"),
)


def quota(obj: Manifest, now: int) -> list[Any]:
    status = obj.get("status") or {}
    hard, used = status.get("hard") or {}, status.get("used") or {}
    texts = [(name.startswith("limits."), f"{name}: {used.get(name, '0')}/{hard[name]}") for name in sorted(hard)]
    requests, limits = (", ".join(text for is_limit, text in texts if is_limit is wanted) for wanted in (False, True))
    return [meta.name(obj), requests, limits, age(obj, now)]


def component(obj: Manifest, now: int) -> list[Any]:
    healthy: Manifest = next((c for c in obj.get("conditions") or () if c["type"] == "Healthy"), {})
    words = {"True": "Healthy", "False": "Unhealthy"}
    return [
        meta.name(obj),
        words.get(healthy.get("status", ""), "Unknown"),
        healthy.get("message", ""),
        healthy.get("error", ""),
    ]


EVENT = Printer(EVENT_COLUMNS, event)

PRINTERS: dict[tuple[str, str], Printer] = {
    ("", "Pod"): Printer(pods.COLUMNS, pods.cells, pods.conditions),
    ("", "Node"): Printer(NODE_COLUMNS, node),
    ("", "Namespace"): simple((Column("Status", text="The status of the namespace"), field("status.phase"))),
    ("", "Service"): Printer(SERVICE_COLUMNS, service),
    ("", "Endpoints"): simple((Column("Endpoints", doc="core_v1.Endpoints.subsets"), endpoints)),
    ("", "ComponentStatus"): Printer(COMPONENT_COLUMNS, component),
    ("", "Event"): EVENT,
    ("", "ResourceQuota"): Printer(QUOTA_COLUMNS, quota),
    ("", "ConfigMap"): simple((Column("Data", doc="core_v1.ConfigMap.data"), sizes("data", "binaryData"))),
    ("", "Secret"): simple(
        (Column("Type", doc="core_v1.Secret.type"), field("type")),
        (Column("Data", doc="core_v1.Secret.data"), sizes("data")),
    ),
    ("", "ServiceAccount"): simple(),
}
