"""Volumes of pods: what is refused in each of their sources, in the real words.

Mirrors:  kubernetes/pkg/apis/core/validation/validation.go (ValidateVolumes, validateVolumeSource)
Left out: the rules inside of the volume types that are served by drivers outside of Kubernetes by now.
Read next: podrules.py, which asks for these.
"""

from collections.abc import Callable, Iterator

from cluster.apiserver.registry.metadata import duplicate, forbidden, invalid, not_supported, required
from cluster.apiserver.registry.resource import Problem
from cluster.apiserver.registry.volumes import claim_problems
from cluster.objects import Manifest, quantity
from cluster.objects.names import name_problems

SOURCES = (
    "emptyDir", "hostPath", "gitRepo", "gcePersistentDisk", "awsElasticBlockStore", "secret", "nfs", "iscsi",
    "glusterfs", "persistentVolumeClaim", "rbd", "cinder", "cephfs", "flocker", "downwardAPI", "fc", "azureFile",
    "configMap", "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk", "projected", "portworxVolume",
    "scaleIO", "storageos", "csi", "ephemeral", "image",
)  # fmt: skip
HOST_TYPES = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
PULL = ("Always", "IfNotPresent", "Never")
MAX_MODE = 0o777
MODE = "must be a number between 0 and 0777 (octal), both inclusive"
SHORTEST, LONGEST = 600, 1 << 32  # Seconds that a token may live.


def problems(volumes: list[Manifest], where: str) -> Iterator[Problem]:
    names: set[str] = set()
    for number, volume in enumerate(volumes):
        name, field = volume.get("name", ""), f"{where}[{number}]"
        sources = [source for source in SOURCES if volume.get(source) is not None]
        for source in sources[:1]:
            yield from _CHECKS.get(source, _nothing)(volume[source], f"{field}.{source}")
        yield from (forbidden(f"{field}.{source}", "may not specify more than 1 volume type") for source in sources[1:])
        if not sources:
            yield required(field, "must specify a volume type")
        if not name:
            yield required(f"{field}.name")
            continue
        yield from (invalid(f"{field}.name", name, problem) for problem in name_problems(name, "label"))
        if name in names:
            yield duplicate(f"{field}.name", name)
        names.add(name)


def _nothing(source: Manifest, where: str) -> Iterator[Problem]:
    yield from ()


def _needs(*names: str) -> Callable[[Manifest, str], Iterator[Problem]]:
    def check(source: Manifest, where: str) -> Iterator[Problem]:
        yield from (required(f"{where}.{name}") for name in names if not source.get(name))

    return check


def _empty_dir(source: Manifest, where: str) -> Iterator[Problem]:
    if source.get("sizeLimit") is not None and quantity.parse(source["sizeLimit"])[0] < 0:
        yield forbidden(f"{where}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def _host_path(source: Manifest, where: str) -> Iterator[Problem]:
    path = source.get("path", "")
    if not path:
        yield required(f"{where}.path")
        return
    if ".." in path.split("/"):
        yield invalid(f"{where}.path", path, "must not contain '..'")
    if (source.get("type") or "") not in HOST_TYPES:
        yield not_supported(f"{where}.type", source["type"], HOST_TYPES)


def _nfs(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _needs("server", "path")(source, where)
    if source.get("path") and not source["path"].startswith("/"):
        yield invalid(f"{where}.path", source["path"], "must be an absolute path")


def _mode(source: Manifest, where: str, name: str = "defaultMode") -> Iterator[Problem]:
    value = source.get(name)
    if value is not None and not 0 <= value <= MAX_MODE:
        yield invalid(f"{where}.{name}", value, MODE)


def _local_path(path: str, where: str) -> Iterator[Problem]:
    """A path inside of the volume that nobody can get out by."""
    if path.startswith("/"):
        yield invalid(where, path, "must be a relative path")
    if ".." in path.split("/"):
        yield invalid(where, path, "must not contain '..'")
    if path.startswith("..") and not path.startswith("../"):
        yield invalid(where, path, "must not start with '..'")


def _items(source: Manifest, where: str) -> Iterator[Problem]:
    for number, item in enumerate(source.get("items") or []):
        field = f"{where}.items[{number}]"
        if not item.get("key"):
            yield required(f"{field}.key")
        if not item.get("path"):
            yield required(f"{field}.path")
        yield from _local_path(item.get("path", ""), f"{field}.path")
        yield from _mode(item, field, "mode")


def _secret(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _needs("secretName")(source, where)
    yield from _mode(source, where)
    yield from _items(source, where)


def _config_map(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _needs("name")(source, where)
    yield from _mode(source, where)
    yield from _items(source, where)


def _downward(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _mode(source, where)
    for number, item in enumerate(source.get("items") or []):
        field = f"{where}.items[{number}]"
        if not item.get("path"):
            yield required(f"{field}.path")
        yield from _local_path(item.get("path", ""), f"{field}.path")
        both = item.get("fieldRef") is not None, item.get("resourceFieldRef") is not None
        if all(both):
            message = "fieldRef and resourceFieldRef can not be specified simultaneously"
            yield invalid(field, "resource", message)
        elif not any(both):
            yield required(field, "one of fieldRef and resourceFieldRef is required")
        yield from _mode(item, field, "mode")


def _projected(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _mode(source, where)
    paths: set[str] = set()
    for number, part in enumerate(source.get("sources") or []):
        field = f"{where}.sources[{number}]"
        kinds = [kind for kind in ("secret", "configMap", "downwardAPI", "serviceAccountToken") if part.get(kind)]
        yield from (forbidden(f"{field}.{kind}", "may not specify more than 1 volume type") for kind in kinds[1:])
        for kind in kinds[:1]:
            yield from _PROJECTED[kind](part[kind], f"{field}.{kind}")
            given = part[kind].get("items") or ([part[kind]] if kind == "serviceAccountToken" else [])
            for item in given:
                if item.get("path") in paths:
                    yield invalid(field, part[kind].get("name", item["path"]), "conflicting duplicate paths")
                paths.add(item.get("path", ""))


def _projected_name(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _needs("name")(source, where)
    yield from _items(source, where)


def _token(source: Manifest, where: str) -> Iterator[Problem]:
    seconds = source.get("expirationSeconds", SHORTEST)
    if seconds < SHORTEST:
        yield invalid(f"{where}.expirationSeconds", seconds, "may not be less than 10 minutes")
    if seconds > LONGEST:
        yield invalid(f"{where}.expirationSeconds", seconds, "may not be larger than 2^32 seconds")
    yield from _needs("path")(source, where)
    yield from _local_path(source.get("path", ""), f"{where}.path")


def _ephemeral(source: Manifest, where: str) -> Iterator[Problem]:
    template = source.get("volumeClaimTemplate")
    if template is None:
        yield required(f"{where}.volumeClaimTemplate")
        return
    yield from claim_problems(template.get("spec") or {}, f"{where}.volumeClaimTemplate.spec")


def _image(source: Manifest, where: str) -> Iterator[Problem]:
    yield from _needs("reference")(source, where)
    if source.get("pullPolicy") and source["pullPolicy"] not in PULL:
        yield not_supported(f"{where}.pullPolicy", source["pullPolicy"], PULL)


_PROJECTED: dict[str, Callable[[Manifest, str], Iterator[Problem]]] = {
    "secret": _projected_name,
    "configMap": _projected_name,
    "downwardAPI": _downward,
    "serviceAccountToken": _token,
}
_CHECKS: dict[str, Callable[[Manifest, str], Iterator[Problem]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "gitRepo": _needs("repository"),
    "secret": _secret,
    "nfs": _nfs,
    "persistentVolumeClaim": _needs("claimName"),
    "downwardAPI": _downward,
    "configMap": _config_map,
    "projected": _projected,
    "csi": _needs("driver"),
    "ephemeral": _ephemeral,
    "image": _image,
}
