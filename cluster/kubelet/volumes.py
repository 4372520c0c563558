"""What is mounted into a container: for each volumeMount, a disk of its own or the data of API objects.

    emptyDir                a disk of the pod, gone with it         hostPath                a disk of the machine
    persistentVolumeClaim   a disk of the claim, whoever mounts it  configMap, secret, downwardAPI, projected: read-only

Contents of API objects are read when a process looks, so a changed ConfigMap is seen at once; a real kubelet takes up
to a minute, and never shows it through a subPath.

Mirrors:  kubernetes/pkg/volume/{configmap,secret,downwardapi,projected,emptydir,hostpath}
Left out: other kinds (taken as an empty disk of the pod), modes of files, subPathExpr.
"""

import base64
import re

from cluster.engine.informer import Informers
from cluster.kubelet import environment
from cluster.kubelet.static_pods import disk_of
from cluster.objects import Manifest, meta
from cluster.objects.storage import claim_of
from cluster.runtime.live import roots
from cluster.runtime.live.files import CLAIM, Mount

TOKEN = "token"
ACCESS = "kube-api-access-"
TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"


def mounts(
    pod: Manifest, container: Manifest, informers: Informers, node: str, addresses: dict[str, str]
) -> list[Mount]:
    """The container's mounts. `addresses`: podIP, hostIP."""
    volumes = {volume["name"]: volume for volume in pod["spec"].get("volumes") or ()}
    found = []
    for mount in container.get("volumeMounts") or ():
        volume = volumes.get(mount["name"])
        if volume is not None:
            found.append(_mount(pod, container, volume, mount, informers, node, addresses))
    return found


def are_shared(pod: Manifest) -> bool:
    """Has it disks on which others may write, too?"""
    volumes = pod["spec"].get("volumes") or ()
    return any("hostPath" in volume or claim_of(pod, volume) is not None for volume in volumes)


def sources(pod: Manifest) -> list[str]:
    """The objects whose contents are files of the pod: <kind>/<namespace>/<name>; besides, its own metadata: Pod/…"""
    found: dict[str, None] = {}
    for volume in pod["spec"].get("volumes") or ():
        if volume["name"].startswith(ACCESS):
            continue  # Every pod has it, and what is in it stays.
        for each in (volume, *((volume.get("projected") or {}).get("sources") or ())):
            for field, kind in (("configMap", "ConfigMap"), ("secret", "Secret"), ("downwardAPI", "Pod")):
                if field in each:
                    named = each[field].get("name") or each[field].get("secretName")
                    name = meta.name(pod) if kind == "Pod" else named
                    found[f"{kind}/{meta.namespace(pod)}/{name or ''}"] = None
    return list(found)


def _mount(
    pod: Manifest,
    container: Manifest,
    volume: Manifest,
    mount: Manifest,
    informers: Informers,
    node: str,
    addresses: dict[str, str],
) -> Mount:
    path = "/" + mount["mountPath"].strip("/")
    data = _data(pod, container, volume, informers, addresses)
    subpath = mount.get("subPath") or ""
    if data is not None:
        if subpath:
            data = {name: text for path, text in data.items() if (name := _inside(path, subpath)) is not None}
        return Mount(path, data=data, readonly=True, source="tmpfs", kind="tmpfs")
    readonly = bool(mount.get("readOnly"))
    inside_disk = f"/{subpath.strip('/')}" if subpath else ""
    claim = claim_of(pod, volume)
    if claim is not None:
        known = informers.get("PersistentVolumeClaim", meta.namespace(pod), claim)
        disk = f"{CLAIM}{meta.uid(known)}" if known is not None else f"{meta.uid(pod)}//{volume['name']}"
        readonly = readonly or bool((volume.get("persistentVolumeClaim") or {}).get("readOnly"))
        return Mount(path, disk, inside_disk, readonly=readonly)
    if "hostPath" in volume:
        where, base = volume["hostPath"]["path"].rstrip("/") + inside_disk, roots.root_of_machine(node)
        return Mount(path, disk_of(node), where, readonly=readonly, base=base)
    return Mount(path, f"{meta.uid(pod)}//{volume['name']}", inside_disk, readonly=readonly)


def _inside(path: str, subpath: str) -> str | None:
    """What `path` is called below `subpath`; "" if it is the same; None if it is elsewhere."""
    parts, above = path.split("/"), [part for part in subpath.split("/") if part]
    return "/".join(parts[len(above) :]) if parts[: len(above)] == above else None


def _data(
    pod: Manifest, container: Manifest, volume: Manifest, informers: Informers, addresses: dict[str, str]
) -> dict[str, str] | None:
    """Relative path -> content (one character a byte); None: not that kind of volume."""
    for field in ("configMap", "secret", "downwardAPI"):
        if field in volume:
            return _source(pod, container, field, volume[field], informers, addresses)
    if "projected" not in volume:
        return None
    found: dict[str, str] = {}
    for source in volume["projected"].get("sources") or ():
        for field, value in source.items():
            found |= _source(pod, container, field, value, informers, addresses)
    return found


def _source(
    pod: Manifest, container: Manifest, field: str, source: Manifest, informers: Informers, addresses: dict[str, str]
) -> dict[str, str]:
    if field == "downwardAPI":
        items = source.get("items") or ()
        return {item["path"]: _bytes(_downward(pod, container, item, addresses)) for item in items}
    if field == "serviceAccountToken":
        return {source.get("path", TOKEN): _token(pod)}
    kind = {"configMap": "ConfigMap", "secret": "Secret"}.get(field)
    obj = (
        informers.get(kind, meta.namespace(pod), source.get("name") or source.get("secretName") or "") if kind else None
    )
    if obj is None:
        return {}
    contents = _contents(obj)
    if not source.get("items"):
        return contents
    return {item["path"]: contents[item["key"]] for item in source["items"] if item["key"] in contents}


def _contents(obj: Manifest) -> dict[str, str]:
    binary = dict(obj.get("binaryData") or {})
    if obj["kind"] == "Secret":
        binary |= obj.get("data") or {}
        plain: dict[str, str] = {}
    else:
        plain = {key: _bytes(text) for key, text in (obj.get("data") or {}).items()}
    return plain | {key: base64.b64decode(text).decode("latin-1") for key, text in binary.items()}


def _downward(pod: Manifest, container: Manifest, item: Manifest, addresses: dict[str, str]) -> str:
    if "resourceFieldRef" in item:
        return environment.resource_value(container, item["resourceFieldRef"])
    path = item["fieldRef"]["fieldPath"]
    match = re.fullmatch(r"metadata\.(labels|annotations)", path)
    if match:
        values = pod["metadata"].get(match[1]) or {}
        return "\n".join(f'{key}="{values[key]}"' for key in sorted(values))
    return environment.field_value(pod, path, addresses)


def _token(pod: Manifest) -> str:
    """Stands for the token that the kubelet asks for; the API server does not know it."""
    account = pod["spec"].get("serviceAccountName") or "default"
    return f"orrery.{meta.namespace(pod)}.{account}.{meta.uid(pod)}"


def _bytes(text: str) -> str:
    """UTF-8, one character a byte."""
    return text.encode().decode("latin-1")
