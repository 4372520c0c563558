"""The scale sub-resource of a custom kind: an autoscaling/v1 Scale read from, and written to, paths of its definition.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/registry/customresource/etcd.go (ScaleREST), validator.go
"""

from typing import Any

from cluster.apiserver.registry.metadata import invalid
from cluster.apiserver.registry.resource import Problem
from cluster.objects import Manifest, errors

NON_NEGATIVE = "must be greater than or equal to 0"
_KEPT = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
_INT32 = (1 << 31) - 1


class Scale:
    """`paths`: specReplicasPath, statusReplicasPath and perhaps labelSelectorPath of the definition."""

    def __init__(self, paths: Manifest, kind: str) -> None:
        self.paths, self.kind = paths, kind

    def _read(self, obj: Manifest, name: str) -> Any:
        value: Any = obj
        for part in (self.paths.get(name) or "").removeprefix(".").split("."):
            value = value.get(part) if isinstance(value, dict) else None
        return value

    def shown(self, obj: Manifest) -> Manifest:
        """The Scale of an object. Errors: InternalError if it says nothing of replicas."""
        asked = self._read(obj, "specReplicasPath")
        if not _is_integer(asked):
            raise errors.InternalError(f'the spec replicas field "{self.paths["specReplicasPath"]}" does not exist')
        there, selector = self._read(obj, "statusReplicasPath"), self._read(obj, "labelSelectorPath")
        status: Manifest = {"replicas": there if _is_integer(there) else 0}
        if isinstance(selector, str) and selector:
            status["selector"] = selector
        metadata = obj["metadata"]
        return {
            "kind": "Scale",
            "apiVersion": "autoscaling/v1",
            "metadata": {name: metadata[name] for name in _KEPT if name in metadata},
            "spec": {"replicas": asked} if asked else {},
            "status": status,
        }

    def scaled(self, obj: Manifest, scale: Manifest) -> Manifest:
        """The object with the Scale's replicas. Errors: Invalid if they are negative."""
        replicas = (scale.get("spec") or {}).get("replicas") or 0
        if replicas < 0:
            problems = [invalid("spec.replicas", replicas, NON_NEGATIVE)]
            raise errors.Invalid("autoscaling", "Scale", obj["metadata"]["name"], problems)
        metadata, version = {**obj["metadata"]}, (scale.get("metadata") or {}).get("resourceVersion")
        if version:
            metadata["resourceVersion"] = version
        path = self.paths["specReplicasPath"].removeprefix(".").split(".")
        return {**_with(obj, path, replicas), "metadata": metadata}

    def problems(self, obj: Manifest) -> list[Problem]:
        """What is wrong with the fields that the paths mean."""
        found: list[Problem] = []
        for name in ("specReplicasPath", "statusReplicasPath"):
            value, path = self._read(obj, name), self.paths.get(name, "")
            if value is None:
                continue
            if not _is_integer(value):
                message = f"{path} accessor error: {value} is of the type {_go_type(value)}, expected int64"
                found.append(invalid(path, 0, message))
            elif value < 0:
                found.append(invalid(path, value, "should be a non-negative integer"))
            elif value > _INT32:
                found.append(invalid(path, value, f"should be less than or equal to {_INT32}"))
        selector = self._read(obj, "labelSelectorPath")
        if selector is not None and not isinstance(selector, str):
            path = self.paths["labelSelectorPath"]
            told = f"{path} accessor error: {selector} is of the type {_go_type(selector)}, expected string"
            found.append(invalid(path, "", told))
        return found


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _go_type(value: Any) -> str:
    names = {dict: "map[string]interface {}", list: "[]interface {}", str: "string", bool: "bool", float: "float64"}
    return names.get(type(value), "int64")


def _with(value: Any, path: list[str], leaf: Any) -> Any:
    """`value` with `leaf` at `path`, everything else the very same."""
    if not path:
        return leaf
    inner = value if isinstance(value, dict) else {}
    return {**inner, path[0]: _with(inner.get(path[0]), path[1:], leaf)}
