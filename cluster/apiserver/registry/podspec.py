"""Pod specs: what is filled in when the author left it out, and what is refused.

A template's spec and a pod's spec follow the same rules. Results are memoised by the identity of the spec: five
thousand pods of one template are defaulted once.

Mirrors:  kubernetes/pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go (ValidatePodSpec)
Left out: validation of volumes, security contexts, probes' details, affinity terms and OS-specific fields.
"""

import re
from typing import Any

from cluster.apiserver.registry.metadata import (
    LABEL,
    duplicate,
    forbidden,
    invalid,
    label_problems,
    name_problems,
    not_supported,
    qualified_problems,
    required,
)
from cluster.apiserver.registry.resource import Problem
from cluster.objects import Manifest, quantity
from cluster.objects.memo import IdentityMemo

_memo = IdentityMemo(1024)


def defaulted(spec: Manifest) -> Manifest:
    """The pod spec with its defaults."""
    return _memo.get(spec, "defaults", _defaulted)  # type: ignore[no-any-return]


def _defaulted(spec: Manifest) -> Manifest:
    new: Manifest = {**spec}
    host_network = bool(spec.get("hostNetwork"))
    for kind in ("initContainers", "containers"):
        if kind in spec:
            new[kind] = [_container(container, host_network) for container in spec[kind]]
    if "volumes" in spec:
        new["volumes"] = [_volume(volume) for volume in spec["volumes"]]
    new.setdefault("restartPolicy", "Always")
    new.setdefault("terminationGracePeriodSeconds", 30)
    new.setdefault("dnsPolicy", "ClusterFirst")
    new.setdefault("securityContext", {})
    new.setdefault("schedulerName", "default-scheduler")
    if new.get("serviceAccountName"):
        new["serviceAccount"] = new["serviceAccountName"]
    elif new.get("serviceAccount"):
        new["serviceAccountName"] = new["serviceAccount"]
    for constraint in new.get("topologySpreadConstraints", []):
        if "whenUnsatisfiable" in constraint:
            continue
    return {name: value for name, value in new.items() if value not in ([], None)}


def defaulted_pod(spec: Manifest) -> Manifest:
    """What only a pod gets, not a template."""
    return _memo.get(spec, "pod", _as_pod)  # type: ignore[no-any-return]


def _as_pod(spec: Manifest) -> Manifest:
    new = {**defaulted(spec)}
    new.setdefault("enableServiceLinks", True)
    for kind in ("initContainers", "containers"):
        if kind in new:
            new[kind] = [_requests_from_limits(container) for container in new[kind]]
    return new


def _requests_from_limits(container: Manifest) -> Manifest:
    """A limit without a request is a request: requests default to limits."""
    resources = container.get("resources") or {}
    missing = {k: v for k, v in resources.get("limits", {}).items() if k not in resources.get("requests", {})}
    if not missing:
        return container
    return {**container, "resources": {**resources, "requests": {**resources.get("requests", {}), **missing}}}


def _container(container: Manifest, host_network: bool) -> Manifest:
    new = {**container}
    if "ports" in container:
        new["ports"] = [_port(port, host_network) for port in container["ports"]]
    if "env" in container:
        new["env"] = [_env(entry) for entry in container["env"]]
    new.setdefault("resources", {})
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            new[probe] = _probe(container[probe])
    for hook, handler in (container.get("lifecycle") or {}).items():
        if isinstance(handler, dict) and "httpGet" in handler:
            new["lifecycle"] = {**new["lifecycle"], hook: {**handler, "httpGet": _http_get(handler["httpGet"])}}
    new.setdefault("terminationMessagePath", "/dev/termination-log")
    new.setdefault("terminationMessagePolicy", "File")
    if not new.get("imagePullPolicy"):
        new["imagePullPolicy"] = "Always" if _is_latest(new.get("image", "")) else "IfNotPresent"
    return {name: value for name, value in new.items() if value not in ([], None)}


def _is_latest(image: str) -> bool:
    if "@" in image:
        return False
    last = image.rsplit("/", 1)[-1]
    return ":" not in last or last.endswith(":latest")


def _port(port: Manifest, host_network: bool) -> Manifest:
    new = {**port}
    new.setdefault("protocol", "TCP")
    if host_network and not new.get("hostPort"):
        new["hostPort"] = new.get("containerPort")
    return new


def _env(entry: Manifest) -> Manifest:
    reference = (entry.get("valueFrom") or {}).get("fieldRef")
    if reference is None or reference.get("apiVersion"):
        return entry
    return {**entry, "valueFrom": {**entry["valueFrom"], "fieldRef": {"apiVersion": "v1", **reference}}}


def _probe(probe: Manifest) -> Manifest:
    new = {**probe}
    if "httpGet" in new:
        new["httpGet"] = _http_get(new["httpGet"])
    if "grpc" in new:
        new["grpc"] = {"service": "", **new["grpc"]}
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        if not new.get(name):
            new[name] = value
    return new


def _http_get(action: Manifest) -> Manifest:
    return {**action, "path": action.get("path") or "/", "scheme": action.get("scheme") or "HTTP"}


def _volume(volume: Manifest) -> Manifest:
    """Modes default to 0644; a volume without any source is an empty directory."""
    new = {**volume}
    if len(new) == 1:
        new["emptyDir"] = {}
    for source in ("secret", "configMap", "downwardAPI", "projected"):
        if source in new:
            new[source] = {**new[source], "defaultMode": new[source].get("defaultMode", 420)}
    if "downwardAPI" in new:
        new["downwardAPI"] = {**new["downwardAPI"], "items": [_downward(i) for i in new["downwardAPI"].get("items", [])]}
    if "projected" in new:
        new["projected"] = {**new["projected"], "sources": [_source(s) for s in new["projected"].get("sources") or []]}
    if "hostPath" in new:
        new["hostPath"] = {**new["hostPath"], "type": new["hostPath"].get("type", "")}
    return new


def _source(source: Manifest) -> Manifest:
    if "serviceAccountToken" in source:
        token = source["serviceAccountToken"]
        return {**source, "serviceAccountToken": {"expirationSeconds": 3600, **token}}
    if "downwardAPI" in source:
        return {**source, "downwardAPI": {**source["downwardAPI"], "items": [_downward(i) for i in source["downwardAPI"].get("items", [])]}}
    return source


def _downward(item: Manifest) -> Manifest:
    reference = item.get("fieldRef")
    return {**item, "fieldRef": {"apiVersion": "v1", **reference}} if reference else item


# --- validation -------------------------------------------------------------------------------------------------

RESTART = ("Always", "OnFailure", "Never")
DNS = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
PULL = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
STANDARD = ("cpu", "memory", "ephemeral-storage")


def problems(spec: Manifest, where: str = "spec", template: bool = False) -> list[Problem]:
    """Every problem of a pod spec, in the order in which the real validation finds them."""
    found: list[Problem] = []
    names: set[str] = set()
    for number, volume in enumerate(spec.get("volumes") or []):
        field = f"{where}.volumes[{number}].name"
        if not volume.get("name"):
            found.append(required(field))
        else:
            found += [invalid(field, volume["name"], problem) for problem in name_problems(volume["name"], "label")]
        if volume.get("name") in names:
            found.append(duplicate(field, volume["name"]))
        names.add(volume.get("name", ""))
    if not spec.get("containers"):
        found.append(required(f"{where}.containers"))
    taken: set[str] = set()
    for kind in ("containers", "initContainers"):
        for number, container in enumerate(spec.get(kind) or []):
            found += _container_problems(container, f"{where}.{kind}[{number}]", taken, names)
    if spec.get("restartPolicy") not in RESTART:
        found.append(not_supported(f"{where}.restartPolicy", spec.get("restartPolicy", ""), RESTART))
    if spec.get("dnsPolicy") not in DNS:
        found.append(not_supported(f"{where}.dnsPolicy", spec.get("dnsPolicy", ""), DNS))
    found += label_problems(spec.get("nodeSelector") or {}, f"{where}.nodeSelector")
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        value = spec["terminationGracePeriodSeconds"]
        found.append(invalid(f"{where}.terminationGracePeriodSeconds", value, "must be greater than or equal to 0"))
    if spec.get("activeDeadlineSeconds") is not None and spec["activeDeadlineSeconds"] < 1:
        value = spec["activeDeadlineSeconds"]
        found.append(invalid(f"{where}.activeDeadlineSeconds", value, "must be between 1 and 2147483647, inclusive"))
    found += _toleration_problems(spec.get("tolerations") or [], f"{where}.tolerations")
    return found


def _container_problems(container: Manifest, where: str, taken: set[str], volumes: set[str]) -> list[Problem]:
    found: list[Problem] = []
    name = container.get("name", "")
    if not name:
        found.append(required(f"{where}.name"))
    else:
        found += [invalid(f"{where}.name", name, LABEL) for problem in name_problems(name, "label")[:1]]
        if name in taken:
            found.append(duplicate(f"{where}.name", name))
        taken.add(name)
    if not container.get("image"):
        found.append(required(f"{where}.image"))
    elif container["image"] != container["image"].strip():
        found.append(invalid(f"{where}.image", container["image"], "must not have leading or trailing whitespace"))
    for number, port in enumerate(container.get("ports") or []):
        found += _port_problems(port, f"{where}.ports[{number}]")
    for number, entry in enumerate(container.get("env") or []):
        if not entry.get("name"):
            found.append(required(f"{where}.env[{number}].name"))
    mounts: set[str] = set()
    for number, mount in enumerate(container.get("volumeMounts") or []):
        field = f"{where}.volumeMounts[{number}]"
        if mount.get("name") not in volumes:
            found.append({"reason": "FieldValueNotFound", "message": f'Not found: "{mount.get("name", "")}"', "field": f"{field}.name"})
        if not mount.get("mountPath"):
            found.append(required(f"{field}.mountPath"))
        elif mount["mountPath"] in mounts:
            found.append(invalid(f"{field}.mountPath", mount["mountPath"], "must be unique"))
        mounts.add(mount.get("mountPath", ""))
    if container.get("imagePullPolicy") not in PULL:
        found.append(not_supported(f"{where}.imagePullPolicy", container.get("imagePullPolicy", ""), PULL))
    found += _resource_problems(container.get("resources") or {}, f"{where}.resources")
    return found


def _port_problems(port: Manifest, where: str) -> list[Problem]:
    found = []
    name = port.get("name")
    if name:
        if len(name) > 15:
            found.append(invalid(f"{where}.name", name, "must be no more than 15 characters"))
        if not re.fullmatch(r"[-a-z0-9]+", name):
            found.append(invalid(f"{where}.name", name, "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"))
        elif not re.search(r"[a-z]", name):
            found.append(invalid(f"{where}.name", name, "must contain at least one letter (a-z)"))
    if not port.get("containerPort"):
        found.append(required(f"{where}.containerPort"))
    elif not 1 <= port["containerPort"] <= 65535:
        found.append(invalid(f"{where}.containerPort", port["containerPort"], "must be between 1 and 65535, inclusive"))
    if port.get("hostPort") and not 1 <= port["hostPort"] <= 65535:
        found.append(invalid(f"{where}.hostPort", port["hostPort"], "must be between 1 and 65535, inclusive"))
    if port.get("protocol") not in PROTOCOLS:
        found.append(not_supported(f"{where}.protocol", port.get("protocol", ""), PROTOCOLS))
    return found


def _resource_problems(resources: Manifest, where: str) -> list[Problem]:
    found: list[Problem] = []
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    for part, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in sorted(amounts.items()):
            field = f"{where}.{part}[{name}]" if "/" in name else f"{where}.{part}.{name}"
            field = f"{where}.{part}[{name}]"
            found += [invalid(field, name, problem) for problem in qualified_problems(name)]
            if "/" not in name and name not in STANDARD and not name.startswith("hugepages-"):
                found.append(invalid(field, name, "must be a standard resource type or fully qualified"))
                found.append(invalid(field, name, "must be a standard resource for containers"))
            if quantity.parse(amount)[0] < 0:
                found.append(invalid(field, amount, "must be greater than or equal to 0"))
    for name, amount in sorted(requests.items()):
        if name in limits and quantity.parse(amount)[0] > quantity.parse(limits[name])[0]:
            found.append(invalid(f"{where}.requests", amount, f"must be less than or equal to {name} limit of {limits[name]}"))
    return found


def _toleration_problems(tolerations: list[Manifest], where: str) -> list[Problem]:
    found = []
    for number, toleration in enumerate(tolerations):
        field = f"{where}[{number}]"
        operator = toleration.get("operator") or "Equal"
        if toleration.get("key"):
            found += [invalid(f"{field}.key", toleration["key"], problem) for problem in qualified_problems(toleration["key"])]
        elif operator != "Exists":
            found.append(invalid(f"{field}.operator", toleration.get("operator", ""), "operator must be Exists when `key` is empty, which means \"match all values and all keys\""))
        if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
            found.append(invalid(f"{field}.effect", toleration.get("effect", ""), "effect must be 'NoExecute' when `tolerationSeconds` is set"))
        if operator == "Exists" and toleration.get("value"):
            found.append(invalid(f"{field}.operator", toleration["value"], "value must be empty when `operator` is 'Exists'"))
        elif operator not in ("Exists", "Equal", "Lt", "Gt"):
            found.append(not_supported(f"{field}.operator", operator, ("Equal", "Exists")))
        if toleration.get("effect") and toleration["effect"] not in EFFECTS:
            found.append(not_supported(f"{field}.effect", toleration["effect"], EFFECTS))
    return found


MUTABLE_MESSAGE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


def update_problems(old: Manifest, new: Manifest) -> list[Problem]:
    """A running pod's spec is fixed, but for images, the deadline and more tolerations."""
    if old is new or _fixed(old) == _fixed(new):
        return []
    return [forbidden("spec", MUTABLE_MESSAGE)]


def _fixed(spec: Manifest) -> Any:
    rest = {k: v for k, v in spec.items() if k not in ("activeDeadlineSeconds", "tolerations", "schedulingGates")}
    for kind in ("containers", "initContainers"):
        if kind in rest:
            rest[kind] = [{k: v for k, v in container.items() if k != "image"} for container in rest[kind]]
    return rest
