"""The core group, `v1`: one entry per kind.

Mirrors:  kubernetes/pkg/registry/core/*/strategy.go, pkg/apis/core/v1/defaults.go, pkg/apis/core/validation
"""

from base64 import b64encode
from collections.abc import Iterator

from cluster.apiserver.registry import addresses, events, podparts, podrules, podspec
from cluster.apiserver.registry.metadata import (
    IP_ADDRESS,
    duplicate,
    forbidden,
    invalid,
    is_ip,
    label_problems,
    not_supported,
    raw_invalid,
    required,
    too_long,
)
from cluster.apiserver.registry.resource import ALL_VERBS, Problem, Resource, Subresource
from cluster.objects import Manifest, pods
from cluster.objects.names import name_problems

MAX_DATA = 1024 * 1024
PROXIED = ("create", "delete", "get", "patch", "update")  # A proxy passes every method on.


# --- pods -------------------------------------------------------------------------------------------------------


def _default_pod(pod: Manifest) -> Manifest:
    if "spec" not in pod:
        return pod
    spec = podspec.defaulted_pod(pod["spec"])
    return pod if spec is pod["spec"] else {**pod, "spec": spec}


def _new_pod(pod: Manifest) -> Manifest:
    status: Manifest = {"phase": "Pending", "qosClass": pods.qos_class(pod)}
    if pod["spec"].get("schedulingGates"):
        gated = {"type": "PodScheduled", "status": "False", "lastProbeTime": None}
        gated |= {"lastTransitionTime": pod["metadata"].get("creationTimestamp"), "reason": "SchedulingGated"}
        gated["message"] = "Scheduling is blocked due to non-empty scheduling gates"
        status = {"phase": "Pending", "conditions": [gated], "qosClass": status["qosClass"]}
    return {**pod, "status": status}


def _validate_pod(pod: Manifest) -> list[Problem]:
    return podrules.problems(pod.get("spec") or {})


def _validate_new_pod(pod: Manifest) -> list[Problem]:
    if (pod.get("spec") or {}).get("ephemeralContainers"):
        return [forbidden("spec.ephemeralContainers", "cannot be set on create")]
    return []


def _validate_pod_update(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if subresource in podparts.PARTS:
        return podparts.problems(old, new, subresource)
    return [] if subresource else podrules.update_problems(old["spec"], new["spec"])


POD = Resource(
    "", "v1", "Pod", "pods", short_names=("po",), categories=("all",), has_status=True, generation=True, graceful=True,
    returns_deleted=True,
    subresources={
        "attach": Subresource("PodAttachOptions", ("create", "get")),
        "binding": Subresource("Binding", ("create",)),
        "ephemeralcontainers": Subresource("Pod"),
        "eviction": Subresource("Eviction", ("create",), "policy", "v1"),
        "exec": Subresource("PodExecOptions", ("create", "get")),
        "log": Subresource("Pod", ("get",)),
        "portforward": Subresource("PodPortForwardOptions", ("create", "get")),
        "proxy": Subresource("PodProxyOptions", PROXIED),
        "resize": Subresource("Pod"),
        "status": Subresource("Pod"),
    },
    selectable=(
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName",
    ),
    parts=podparts.PARTS, default=_default_pod, on_create=_new_pod,
    validate=_validate_pod, validate_new=_validate_new_pod, validate_update=_validate_pod_update,
)  # fmt: skip


# --- namespaces and nodes ---------------------------------------------------------------------------------------


def _default_namespace(namespace: Manifest) -> Manifest:
    metadata = namespace["metadata"]
    labels = {**(metadata.get("labels") or {})}
    if labels.get("kubernetes.io/metadata.name") == metadata.get("name"):
        return namespace
    labels["kubernetes.io/metadata.name"] = metadata.get("name", "")
    return {**namespace, "metadata": {**metadata, "labels": labels}}


def _new_namespace(namespace: Manifest) -> Manifest:
    return {**namespace, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}


NAMESPACE = Resource(
    "", "v1", "Namespace", "namespaces", namespaced=False, short_names=("ns",), has_status=True, name_rule="label",
    verbs=tuple(verb for verb in ALL_VERBS if verb != "deletecollection"),
    subresources={"finalize": Subresource("Namespace", ("update",)), "status": Subresource("Namespace")},
    selectable=("status.phase",), returns_deleted=True,
    default=_default_namespace, on_create=_new_namespace,
)  # fmt: skip


def _default_node(node: Manifest) -> Manifest:
    status = node.get("status") or {}
    if "capacity" in status and "allocatable" not in status:
        status = {**status, "allocatable": status["capacity"]}
    status = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 0}}, "nodeInfo": _NODE_INFO, **status}
    if node.get("status") == status and "spec" in node:
        return node
    return {**node, "spec": node.get("spec") or {}, "status": status}


_NODE_INFO = dict.fromkeys(
    (
        "machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion",
        "kubeProxyVersion", "operatingSystem", "architecture",
    ),
    "",
)  # fmt: skip


def _validate_node(node: Manifest) -> list[Problem]:
    found, seen = [], set()
    for number, taint in enumerate(node.get("spec", {}).get("taints") or []):
        where = f"metadata.taints[{number}]"  # The real one says it like this, too.
        if not taint.get("key"):
            found.append(required(f"{where}.key"))
        if taint.get("effect") not in podrules.EFFECTS:
            found.append(not_supported(f"{where}.effect", taint.get("effect", ""), podrules.EFFECTS))
        pair = (taint.get("key"), taint.get("effect"))
        if pair in seen:
            found.append(duplicate(where, "taints must be unique by key and effect pair"))
        seen.add(pair)
    return found


def _validate_node_update(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    before, after = old.get("spec", {}).get("podCIDR"), new.get("spec", {}).get("podCIDR")
    if before and before != after:
        return [forbidden("spec.podCIDRs", 'node updates may not change podCIDR except from "" to valid')]
    return []


NODE = Resource(
    "", "v1", "Node", "nodes", namespaced=False, short_names=("no",), has_status=True,
    subresources={"proxy": Subresource("NodeProxyOptions", PROXIED), "status": Subresource("Node")},
    storage="minions", selectable=("spec.unschedulable",),
    default=_default_node, validate=_validate_node, validate_update=_validate_node_update,
)  # fmt: skip


# --- configuration ----------------------------------------------------------------------------------------------


def _data_problems(obj: Manifest) -> list[Problem]:
    found: list[Problem] = []
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    for part, entries in (("data", data), ("binaryData", binary)):
        for key in sorted(entries):
            field = f"{part}[{key}]"
            if not key or len(key) > 253 or not all(char.isalnum() or char in "-_." for char in key):
                found.append(invalid(field, key, _CONFIG_KEY))
            elif key in (".", "..") or key.startswith(".."):
                what = {".": "must not be '.'", "..": "must not be '..'"}.get(key, "must not start with '..'")
                found.append(invalid(field, key, what))
            if part == "data" and key in binary:
                found.append(invalid(field, key, "duplicate of key present in binaryData"))
    if sum(len(str(value)) for value in (*data.values(), *binary.values())) > MAX_DATA:
        found.append(too_long("[]", MAX_DATA))
    return found


_CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or"
    " 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')"
)


def _immutable_data(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    found = []
    if old.get("immutable"):
        if not new.get("immutable"):
            found.append(forbidden("immutable", "field is immutable when `immutable` is set"))
        for part in ("data", "binaryData"):
            if old.get(part) != new.get(part):
                found.append(forbidden(part, "field is immutable when `immutable` is set"))
    return found


CONFIG_MAP = Resource(
    "", "v1", "ConfigMap", "configmaps", short_names=("cm",), validate=_data_problems, validate_update=_immutable_data
)


def _default_secret(secret: Manifest) -> Manifest:
    new = {name: value for name, value in secret.items() if name != "stringData"}
    new.setdefault("type", "Opaque")
    if secret.get("stringData"):
        plain = {key: b64encode(text.encode()).decode() for key, text in secret["stringData"].items()}
        new["data"] = {**(secret.get("data") or {}), **plain}
    return secret if new == secret else new


TOKEN_TYPE, TOKEN_OF = "kubernetes.io/service-account-token", "kubernetes.io/service-account.name"
_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def _validate_secret(secret: Manifest) -> list[Problem]:
    needed = _REQUIRED_KEYS.get(secret.get("type", ""), ())
    given = secret.get("data") or {}
    missing = [required(f"data[{key}]") for key in needed if key not in given]
    if secret.get("type") == "kubernetes.io/basic-auth" and not {"username", "password"} & given.keys():
        missing += [required(f"data[{key}]") for key in ("username", "password")]
    if secret.get("type") == TOKEN_TYPE and not (secret["metadata"].get("annotations") or {}).get(TOKEN_OF):
        missing.append(required(f"metadata.annotations[{TOKEN_OF}]"))
    return [*_data_problems(secret), *missing]


def _validate_secret_update(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    if old.get("type") != new.get("type"):
        return [invalid("type", new.get("type", ""), "field is immutable")]
    return _immutable_data(old, new, subresource)


SECRET = Resource(
    "", "v1", "Secret", "secrets", selectable=("type",),
    default=_default_secret, validate=_validate_secret, validate_update=_validate_secret_update,
)  # fmt: skip

SERVICE_ACCOUNT = Resource(
    "", "v1", "ServiceAccount", "serviceaccounts", short_names=("sa",), returns_deleted=True,
    subresources={"token": Subresource("TokenRequest", ("create",), "authentication.k8s.io", "v1")},
)  # fmt: skip


# --- services ---------------------------------------------------------------------------------------------------


def _default_service(service: Manifest) -> Manifest:
    spec = {**(service.get("spec") or {})}
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if spec["sessionAffinity"] == "ClientIP":
        spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": 10800}})
    if "ports" in spec:
        spec["ports"] = [_default_service_port(port) for port in spec["ports"] or []]
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
    if kind in ("NodePort", "LoadBalancer"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if spec == service.get("spec"):
        return service
    return {**service, "spec": spec}


def _default_ingress(service: Manifest, old: Manifest | None, now: str) -> Manifest:
    """An address without a mode is one that clients reach as it is."""
    status = service.get("status") or {}
    if old is None or status is old.get("status") or service["spec"].get("type") != "LoadBalancer":
        return service
    points = (status.get("loadBalancer") or {}).get("ingress") or []
    if all(not point.get("ip") or point.get("ipMode") for point in points):
        return service
    done = [{**point, "ipMode": point.get("ipMode") or "VIP"} if point.get("ip") else point for point in points]
    return {**service, "status": {**status, "loadBalancer": {**status["loadBalancer"], "ingress": done}}}


def _default_service_port(port: Manifest) -> Manifest:
    return {**port, "protocol": port.get("protocol") or "TCP", "targetPort": port.get("targetPort") or port.get("port")}


def _new_service(service: Manifest) -> Manifest:
    return {**service, "status": {"loadBalancer": {}}}


SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
AFFINITIES = ("ClientIP", "None")


def _validate_service(service: Manifest) -> list[Problem]:
    spec = service.get("spec") or {}
    kind, address, ports = spec.get("type", ""), spec.get("clusterIP", ""), spec.get("ports") or []
    found: list[Problem] = []
    if not ports and address != "None" and kind != "ExternalName":
        found.append(required("spec.ports"))
    if kind in ("NodePort", "LoadBalancer") and address == "None":
        found.append(invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {kind} services"))
    if kind == "ExternalName" and not spec.get("externalName"):
        found.append(required("spec.externalName"))
    names: set[str] = set()
    for number, port in enumerate(ports):
        found += _service_port(port, f"spec.ports[{number}]", names, many=len(ports) > 1)
    found += label_problems(spec.get("selector") or {}, "spec.selector")
    if spec.get("sessionAffinity") not in AFFINITIES:
        found.append(not_supported("spec.sessionAffinity", spec.get("sessionAffinity", ""), AFFINITIES))
    if kind not in SERVICE_TYPES:
        found.append(not_supported("spec.type", kind, SERVICE_TYPES))
    health = spec.get("healthCheckNodePort")
    if health and (kind != "LoadBalancer" or spec.get("externalTrafficPolicy") != "Local"):
        only = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        found.append(invalid("spec.healthCheckNodePort", health, only))
    if address not in ("", "None") and not is_ip(address):
        found.append(invalid("spec.clusterIPs[0]", address, IP_ADDRESS))
    return found + _repeated_ports(ports, kind)


def _service_port(port: Manifest, where: str, names: set[str], many: bool) -> Iterator[Problem]:
    name, number, target = port.get("name", ""), port.get("port") or 0, port.get("targetPort")
    if not name and many:
        yield required(f"{where}.name")
    elif name:
        yield from (invalid(f"{where}.name", name, problem) for problem in name_problems(name, "label"))
        if name in names:
            yield duplicate(f"{where}.name", name)
        names.add(name)
    if problem := podrules.in_range(number, 1, podrules.MAX_PORT):
        yield invalid(f"{where}.port", number, problem)
    if port.get("protocol") not in podrules.PROTOCOLS:
        yield not_supported(f"{where}.protocol", port.get("protocol", ""), podrules.PROTOCOLS)
    if isinstance(target, int) and (problem := podrules.in_range(target, 1, podrules.MAX_PORT)):
        yield invalid(f"{where}.targetPort", target, problem)
    elif isinstance(target, str):
        yield from (invalid(f"{where}.targetPort", target, problem) for problem in podrules.port_name_problems(target))


def _repeated_ports(ports: list[Manifest], kind: str) -> list[Problem]:
    """Two ports may share a number only with different protocols; node ports need a type that has them."""
    found, pairs = [], set()
    for number, port in enumerate(ports):
        where, node_port = f"spec.ports[{number}]", port.get("nodePort")
        if node_port and kind in ("ClusterIP", "ExternalName"):
            found.append(forbidden(f"{where}.nodePort", f"may not be used when `type` is '{kind}'"))
        pair = (port.get("protocol"), port.get("port"))
        if pair in pairs:
            shown = f'{{"port":{pair[1]},"protocol":"{pair[0]}","targetPort":0}}'
            found.append({"reason": "FieldValueDuplicate", "message": f"Duplicate value: {shown}", "field": where})
        pairs.add(pair)
    return found


def _validate_service_update(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    before, after = old["spec"], new["spec"]
    fixed = "ExternalName" not in (before.get("type"), after.get("type"))
    if fixed and before.get("clusterIP") and before["clusterIP"] != after.get("clusterIP"):
        shown = f'["{after.get("clusterIP", "")}"]'
        return [raw_invalid("spec.clusterIPs[0]", shown, "may not change once set")]
    return []


SERVICE = Resource(
    "", "v1", "Service", "services", short_names=("svc",), categories=("all",), has_status=True,
    storage="services/specs", name_rule="label", returns_deleted=True, selectable=("spec.clusterIP", "spec.type"),
    subresources={"proxy": Subresource("ServiceProxyOptions", PROXIED), "status": Subresource("Service")},
    default=_default_service, on_create=_new_service, stamp=_default_ingress, validate=_validate_service,
    validate_update=_validate_service_update,
)  # fmt: skip


def _default_endpoints(endpoints: Manifest) -> Manifest:
    subsets = endpoints.get("subsets") or []
    if all(port.get("protocol") for subset in subsets for port in subset.get("ports") or []):
        return endpoints
    done = [
        {**s, "ports": [{**port, "protocol": port.get("protocol") or "TCP"} for port in s.get("ports") or []]}
        if "ports" in s
        else s
        for s in subsets
    ]
    return {**endpoints, "subsets": done}


ENDPOINTS = Resource(
    "", "v1", "Endpoints", "endpoints", singular="endpoints", short_names=("ep",), storage="services/endpoints",
    default=_default_endpoints, validate=addresses.endpoints_problems,
    deprecated="v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
)  # fmt: skip

EVENT = Resource(
    "", "v1", "Event", "events", short_names=("ev",), create_on_update=True,
    selectable=events.SELECTABLE, default=events.default, validate=events.validate,
)  # fmt: skip

RESOURCES = (CONFIG_MAP, ENDPOINTS, EVENT, NAMESPACE, NODE, POD, SECRET, SERVICE_ACCOUNT, SERVICE)
