"""What a container is given besides its image: environment variables, and the volumes it waits for.

Mirrors:  kubernetes/pkg/kubelet/kubelet_pods.go (makeEnvironmentVariables), pkg/volume (configmap, secret,
          projected)
Left out: volumes that need a claim (taken as mounted).
Read next: volumes.py for what is in them.
"""

import base64
import re
from collections.abc import Iterator

from cluster.engine.informer import Informers
from cluster.objects import Manifest, meta, quantity
from cluster.objects.resolvconf import CLUSTER_DNS, search_domains, written
from cluster.objects.storage import claim_of, driver_of, is_attached, needs_attaching, volume_of

MACHINE_DNS = "10.0.0.1"
REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z0-9_.-]+)\)")


class ConfigError(Exception):
    """Something the container's configuration names is missing; `str()` is what the kubelet says."""


def variables(pod: Manifest, container: Manifest, informers: Informers, addresses: dict[str, str]) -> dict[str, str]:
    """The container's environment. `addresses`: podIP, hostIP. Errors: ConfigError."""
    found = service_links(pod, informers)
    for source in container.get("envFrom") or ():
        found |= _all_of(pod, source, informers)
    for entry in container.get("env") or ():
        value = _value(pod, container, entry, informers, addresses)
        if value is not None:
            found[entry["name"]] = expanded(value, found)
    return found


def service_links(pod: Manifest, informers: Informers) -> dict[str, str]:
    """Of every Service of the namespace, unless the pod wants none, and always of `kubernetes`."""
    services = [service for service in informers.list("Service", "default") if meta.name(service) == "kubernetes"]
    if pod["spec"].get("enableServiceLinks") is not False:
        services += [each for each in informers.list("Service", meta.namespace(pod)) if each not in services]
    found: dict[str, str] = {}
    for service in services:
        address, ports = service["spec"].get("clusterIP"), service["spec"].get("ports") or ()
        if address in (None, "", "None") or not ports:
            continue
        prefix = meta.name(service).upper().replace("-", "_")
        first = ports[0]
        found |= {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(first["port"])}
        named = [one for one in ports if one.get("name")]
        found |= {f"{prefix}_SERVICE_PORT_{one['name'].upper().replace('-', '_')}": str(one["port"]) for one in named}
        urls = {one["port"]: f"{one.get('protocol', 'TCP').lower()}://{address}:{one['port']}" for one in ports}
        found[f"{prefix}_PORT"] = urls[first["port"]]
        for one in ports:
            protocol = one.get("protocol", "TCP")
            link = f"{prefix}_PORT_{one['port']}_{protocol}"
            found |= {link: urls[one["port"]], f"{link}_PROTO": protocol.lower()}
            found |= {f"{link}_PORT": str(one["port"]), f"{link}_ADDR": address}
    return found


def expanded(text: str, known: dict[str, str]) -> str:
    """`$(NAME)` replaced by what is known; `$$(NAME)` is an escape.

    >>> expanded("$(A)-$(B)-$$(A)", {"A": "1"})
    '1-$(B)-$(A)'
    """
    if "$" not in text:
        return text
    return REFERENCE.sub(lambda m: "$" if m[0] == "$$" else known.get(m[1], m[0]), text)


def memory_limit(container: Manifest) -> int | None:
    """Bytes; None: no limit."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
    return None if limit is None else quantity.value(limit)


def cpu_limit(container: Manifest) -> int | None:
    """Millicores; None: no limit."""
    limit = ((container.get("resources") or {}).get("limits") or {}).get("cpu")
    return None if limit is None else quantity.milli(limit)


def resolv_conf(pod: Manifest) -> str | None:
    """/etc/resolv.conf as the pod's dnsPolicy and dnsConfig say; None: the usual one of the cluster's DNS.

    A pod on its machine's network asks the machine's resolver, unless its policy is ClusterFirstWithHostNet.
    """
    spec, namespace = pod["spec"], meta.namespace(pod)
    wanted, said = spec.get("dnsPolicy", "ClusterFirst"), spec.get("dnsConfig") or {}
    policy = "Default" if spec.get("hostNetwork") and wanted == "ClusterFirst" else wanted
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet") and not said:
        return None
    servers, search, options = list(said.get("nameservers") or ()), list(said.get("searches") or ()), {}
    if policy in ("ClusterFirst", "ClusterFirstWithHostNet"):
        servers = [CLUSTER_DNS, *servers]
        search = [*search_domains(namespace), *search]
        options["ndots"] = "5"
    elif policy == "Default":
        servers = [MACHINE_DNS, *servers]
    options |= {one["name"]: str(one.get("value") or "") for one in said.get("options") or ()}
    return written(servers, search, [f"{name}:{value}" if value else name for name, value in options.items()])


def _value(
    pod: Manifest, container: Manifest, entry: Manifest, informers: Informers, addresses: dict[str, str]
) -> str | None:
    source = entry.get("valueFrom")
    if source is None:
        return str(entry.get("value", ""))
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"], addresses)
    if "resourceFieldRef" in source:
        return resource_value(container, source["resourceFieldRef"])
    for field, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
        if field in source:
            return _key_of(pod, source[field], kind, informers)
    return ""


def _key_of(pod: Manifest, reference: Manifest, kind: str, informers: Informers) -> str | None:
    name, key, optional = reference.get("name", ""), reference["key"], reference.get("optional")
    obj = informers.get(kind, meta.namespace(pod), name)
    if obj is None:
        if optional:
            return None
        raise ConfigError(f'{kind.lower()} "{name}" not found')
    data = _data(obj)
    if key not in data:
        if optional:
            return None
        where = f"{meta.namespace(pod)}/{name}"
        raise ConfigError(f"couldn't find key {key} in {kind} {where}")
    return data[key]


def _all_of(pod: Manifest, source: Manifest, informers: Informers) -> dict[str, str]:
    kind, field = ("ConfigMap", "configMapRef") if "configMapRef" in source else ("Secret", "secretRef")
    reference = source.get(field) or {}
    obj = informers.get(kind, meta.namespace(pod), reference.get("name", ""))
    if obj is None:
        if reference.get("optional"):
            return {}
        raise ConfigError(f'{kind.lower()} "{reference.get("name", "")}" not found')
    return {source.get("prefix", "") + key: value for key, value in sorted(_data(obj).items())}


def _data(obj: Manifest) -> dict[str, str]:
    data = obj.get("data") or {}
    if obj["kind"] == "Secret":
        return {key: base64.b64decode(value).decode(errors="replace") for key, value in data.items()}
    return dict(data)


def field_value(pod: Manifest, path: str, addresses: dict[str, str]) -> str:
    known = {
        "metadata.name": meta.name(pod),
        "metadata.namespace": meta.namespace(pod),
        "metadata.uid": meta.uid(pod),
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.podIP": addresses.get("podIP", ""),
        "status.podIPs": addresses.get("podIP", ""),
        "status.hostIP": addresses.get("hostIP", ""),
        "status.hostIPs": addresses.get("hostIP", ""),
    }
    match = re.fullmatch(r"metadata\.(labels|annotations)\['(.+)'\]", path)
    if match:
        return str((pod["metadata"].get(match[1]) or {}).get(match[2], ""))
    return known.get(path, "")


def resource_value(container: Manifest, reference: Manifest) -> str:
    side, _, name = reference["resource"].partition(".")
    amount = ((container.get("resources") or {}).get(side) or {}).get(name)
    if amount is None:
        return "0"
    divisor = str(reference.get("divisor") or "1")
    if name == "cpu":
        return str(-(-quantity.milli(amount) // (quantity.milli(divisor) or 1000)))
    return str(-(-quantity.value(amount) // (quantity.value(divisor) or 1)))


def missing_volume(pod: Manifest, informers: Informers) -> str | None:
    """Why a volume can't be mounted, in the kubelet's words; None: all can."""
    namespace = meta.namespace(pod)
    for volume in pod["spec"].get("volumes") or ():
        for kind, source in _sources(volume):
            name = source.get("name") or source.get("secretName") or ""
            if source.get("optional"):
                continue
            obj = informers.get(kind, namespace, name)
            if obj is None:
                problem = f'{kind.lower()} "{name}" not found'
            else:
                absent = [item["key"] for item in source.get("items") or () if item["key"] not in _keys(obj)]
                if not absent:
                    continue
                which = "config" if kind == "ConfigMap" else "secret"
                problem = f"references non-existent {which} key: {absent[0]}"
            return f'MountVolume.SetUp failed for volume "{volume["name"]}" : {problem}'
    return None


def unattached_volume(pod: Manifest, node: str, informers: Informers) -> str | None:
    """The first volume that must be attached to the node first, and is not; None: there is none."""
    for volume in pod["spec"].get("volumes") or ():
        name = claim_of(pod, volume)
        claim = informers.get("PersistentVolumeClaim", meta.namespace(pod), name) if name else None
        disk = informers.get("PersistentVolume", "", claim["spec"].get("volumeName", "")) if claim is not None else None
        driver = driver_of(disk) if disk is not None else ""
        if disk is None or not driver or not needs_attaching(informers.get("CSIDriver", "", driver)):
            continue
        there = informers.by_index("VolumeAttachment", "node", node)
        mine = (one for one in there if volume_of(one) == meta.name(disk) and not meta.is_deleting(one))
        if not any(is_attached(one) for one in mine):
            return str(volume["name"])
    return None


def _keys(obj: Manifest) -> set[str]:
    return {*(obj.get("data") or {}), *(obj.get("binaryData") or {})}


def _sources(volume: Manifest) -> Iterator[tuple[str, Manifest]]:
    if "configMap" in volume:
        yield "ConfigMap", volume["configMap"]
    elif "secret" in volume:
        yield "Secret", volume["secret"]
    elif "projected" in volume:
        for source in volume["projected"].get("sources") or ():
            if "configMap" in source:
                yield "ConfigMap", source["configMap"]
            elif "secret" in source:
                yield "Secret", source["secret"]
