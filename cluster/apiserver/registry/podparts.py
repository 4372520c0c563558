"""The two parts of a running pod that have URLs of their own: its ephemeral containers and its resources.

    pods/ephemeralcontainers   add a container to look around with (kubectl debug); none can be changed or taken away
    pods/resize                other requests and limits of CPU and memory for containers that run

Mirrors:  kubernetes/pkg/registry/core/pod/strategy.go (podEphemeralContainersStrategy, podResizeStrategy),
          pkg/apis/core/validation (ValidatePodEphemeralContainersUpdate, ValidatePodResize)
Left out: Windows.
"""

from collections.abc import Callable, Iterator

from cluster.apiserver.registry.metadata import duplicate, forbidden, invalid, not_found, required
from cluster.apiserver.registry.resource import Problem
from cluster.objects import Manifest, meta, pods
from cluster.objects.names import name_problems

MIRROR = "kubernetes.io/config.mirror"
RESIZABLE = ("cpu", "memory")
NOT_EPHEMERAL = (
    "ports", "livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "resizePolicy", "restartPolicy",
)  # fmt: skip
EPHEMERAL_ONLY = "cannot be set for an Ephemeral Container"


# --- what each URL takes over -----------------------------------------------------------------------------------


def ephemeral(old: Manifest, new: Manifest) -> Manifest:
    """The old spec with the new ephemeral containers."""
    wanted = new.get("ephemeralContainers")
    if wanted == old.get("ephemeralContainers"):
        return old
    rest = {name: value for name, value in old.items() if name != "ephemeralContainers"}
    return {**rest, "ephemeralContainers": wanted} if wanted else rest


def resized(old: Manifest, new: Manifest) -> Manifest:
    """The old spec with the new resources of the containers that have the same place and name."""
    changed = {}
    for kind in ("containers", "initContainers"):
        before, after = old.get(kind) or [], new.get(kind) or []
        if len(before) != len(after):
            continue
        pairs = zip(before, after, strict=True)
        made = [_with_resources(container, other) for container, other in pairs]
        if any(one is not other for one, other in zip(made, before, strict=True)):
            changed[kind] = made
    return {**old, **changed} if changed else old


def _with_resources(container: Manifest, other: Manifest) -> Manifest:
    same = container.get("name") != other.get("name") or container.get("resources") == other.get("resources")
    return container if same else {**container, "resources": other.get("resources") or {}}


PARTS: dict[str, Callable[[Manifest, Manifest], Manifest]] = {"ephemeralcontainers": ephemeral, "resize": resized}


# --- what is refused --------------------------------------------------------------------------------------------


def problems(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    """Problems of a pod that was changed through one of these URLs."""
    if subresource == "ephemeralcontainers":
        return [*_ephemeral_change(old, new)]
    return [*_resize(old, new)] if subresource == "resize" else []


def _ephemeral_change(old: Manifest, new: Manifest, where: str = "spec.ephemeralContainers") -> Iterator[Problem]:
    if MIRROR in meta.annotations(new):
        yield forbidden("spec.ephemeralContainers", "static pods do not support ephemeral containers")
    after = {container.get("name"): container for container in new["spec"].get("ephemeralContainers") or ()}
    for container in old["spec"].get("ephemeralContainers") or ():
        name = container.get("name", "")
        if name not in after:
            yield forbidden(where, f'existing ephemeral containers "{name}" may not be removed\n')
        elif after[name] != container:
            yield forbidden(where, f'existing ephemeral containers "{name}" may not be changed\n')


def ephemeral_problems(spec: Manifest, where: str, taken: set[str]) -> Iterator[Problem]:
    """Problems of the ephemeral containers themselves. `taken`: names of the other containers."""
    targets = set(taken)
    for number, container in enumerate(spec.get("ephemeralContainers") or []):
        field, name, target = f"{where}[{number}]", container.get("name", ""), container.get("targetContainerName", "")
        if not name:
            yield required(f"{field}.name")
        yield from (invalid(f"{field}.name", name, problem) for problem in name_problems(name, "label") if name)
        if name in taken:
            yield duplicate(f"{field}.name", name)
        taken.add(name)
        if not container.get("image"):
            yield required(f"{field}.image")
        if target and target not in targets:
            yield not_found(f"{field}.targetContainerName", target)
        for part in NOT_EPHEMERAL:
            if container.get(part):
                yield forbidden(f"{field}.{part}", EPHEMERAL_ONLY)
        if any((container.get("resources") or {}).values()):
            yield forbidden(f"{field}.resources", EPHEMERAL_ONLY)
        for place, mount in enumerate(container.get("volumeMounts") or []):
            for part in ("subPath", "subPathExpr"):
                if mount.get(part):
                    yield forbidden(f"{field}.volumeMounts[{place}].{part}", EPHEMERAL_ONLY)


def _resize(old: Manifest, new: Manifest) -> Iterator[Problem]:
    if MIRROR in meta.annotations(new):
        yield forbidden("spec", "static pods cannot be resized")
    for kind in ("containers", "initContainers"):
        pairs = zip(old["spec"].get(kind) or (), new["spec"].get(kind) or (), strict=True)
        for number, (before, after) in enumerate(pairs):
            if before is not after:
                yield from _container_resize(before, after, kind, f"spec.{kind}[{number}]")
    if pods.qos_class(new) != (old.get("status") or {}).get("qosClass", pods.qos_class(old)):
        message = "Pod QOS Class may not change as a result of resizing"
        yield invalid("spec", pods.qos_class(new), message)


def _container_resize(before: Manifest, after: Manifest, kind: str, where: str) -> Iterator[Problem]:
    was, now = before.get("resources") or {}, after.get("resources") or {}
    if kind == "initContainers" and before.get("restartPolicy") != "Always":
        yield forbidden(f"{where}.resources", "only sidecar containers can be resized")
    for part in ("limits", "requests"):
        old, new = was.get(part) or {}, now.get(part) or {}
        for name in sorted({*old, *new}):
            field = f"{where}.resources.{part}"
            if name not in RESIZABLE and old.get(name) != new.get(name):
                yield forbidden(f"{field}[{name}]", "only cpu and memory resources are mutable")
            elif name in old and name not in new:
                yield forbidden(f"{field}[{name}]", f"resource {part} cannot be removed")
    if was.get("claims") != now.get("claims"):
        yield forbidden(f"{where}.resources.claims", "only cpu and memory resources are mutable")
