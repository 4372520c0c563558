"""Writes protobuf bodies the way Go clients do, from the message descriptors of Kubernetes 1.37: for tests only."""

import gzip
import json
from base64 import b64decode
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

DESCRIPTORS = Path(__file__).parent / "golden" / "protobuf" / "k8s-1.37.desc.gz"
META = "k8s.io.apimachinery.pkg.apis.meta.v1."
GROUPS = {"": "core", "rbac.authorization.k8s.io": "rbac"}


@cache
def _pool() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(gzip.decompress(DESCRIPTORS.read_bytes()))
    for file in files.file:
        pool.Add(file)
    return pool


def message(name: str) -> Any:
    """An empty message by its full name."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(name))()


def message_of(obj: dict[str, Any]) -> str:
    """The full message name of an object's kind."""
    group, _, version = obj["apiVersion"].rpartition("/")
    if obj["kind"] == "DeleteOptions":
        return META + "DeleteOptions"
    if group == "apiextensions.k8s.io":
        return f"k8s.io.apiextensions_apiserver.pkg.apis.apiextensions.{version}.{obj['kind']}"
    return f"k8s.io.api.{GROUPS.get(group, group.split('.')[0])}.{version}.{obj['kind']}"


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    """`raw` as a request body."""
    unknown = message("k8s.io.apimachinery.pkg.runtime.Unknown")
    unknown.typeMeta.apiVersion, unknown.typeMeta.kind = api_version, kind
    unknown.raw = raw
    unknown.contentEncoding = unknown.contentType = ""
    return b"k8s\x00" + bytes(unknown.SerializeToString())


def encoded(obj: dict[str, Any], name: str = "") -> bytes:
    """A manifest as a request body."""
    target = message(name or message_of(obj))
    fill(target, {k: v for k, v in obj.items() if k not in ("kind", "apiVersion")})
    return envelope(obj["apiVersion"], obj["kind"], target.SerializeToString())


def fill(target: Any, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        if name in ("kind", "apiVersion") and name not in target.DESCRIPTOR.fields_by_name:
            continue  # Of an object inside an object: never on the wire.
        owner, field = _owner(target, name)
        if value is None and field.is_repeated:
            continue
        if field.message_type and field.message_type.GetOptions().map_entry:
            _fill_map(getattr(owner, field.name), field, value)
        elif field.is_repeated:
            for item in value:
                if field.message_type:
                    _one(getattr(owner, field.name).add(), item)
                else:
                    getattr(owner, field.name).append(item)
        elif field.message_type:
            getattr(owner, field.name).SetInParent()
            _one(getattr(owner, field.name), value)
        else:
            setattr(owner, field.name, b64decode(value) if field.type == field.TYPE_BYTES else value)


def _owner(target: Any, name: str) -> tuple[Any, Any]:
    """Where `name` lives: in the message, or in a message that JSON inlines into it."""
    fields = {known.lower(): field for known, field in target.DESCRIPTOR.fields_by_name.items()}
    for known in (name.lower(), _go_name(name).lower()):
        if known in fields:
            return target, fields[known]
    for field in target.DESCRIPTOR.fields:
        if field.message_type and not field.is_repeated and name in field.message_type.fields_by_name:
            return getattr(target, field.name), field.message_type.fields_by_name[name]
    for part in ("ruleWithOperations", "rule"):  # Inlined twice over.
        if part in target.DESCRIPTOR.fields_by_name:
            return _owner(getattr(target, part), name)
    raise KeyError(f"{target.DESCRIPTOR.full_name} has no {name}")


def _go_name(name: str) -> str:
    """`$ref` and `x-kubernetes-list-type` as the message calls them."""
    first, *rest = name.removeprefix("$").split("-")
    return first + "".join(word.title() for word in rest)


def _fill_map(target: Any, field: Any, value: dict[str, Any]) -> None:
    of_messages = field.message_type.fields_by_name["value"].message_type
    for key, item in value.items():
        if of_messages:
            _one(target[key], item)
        else:
            target[key] = b64decode(item) if isinstance(target.get(key, b""), bytes) and _is_bytes(field) else item


def _is_bytes(field: Any) -> bool:
    value = field.message_type.fields_by_name["value"]
    return bool(value.type == value.TYPE_BYTES)


def _one(target: Any, value: Any) -> None:
    name = target.DESCRIPTOR.full_name.rsplit(".", 1)[1]
    if name == "Quantity":
        target.string = str(value)
    elif name == "IntOrString":
        target.type = int(isinstance(value, str))
        target.intVal, target.strVal = (0, value) if isinstance(value, str) else (value, "")
    elif name == "JSONSchemaPropsOrBool":
        if isinstance(value, bool):
            target.allows = value
        else:
            target.allows = True
            fill(target.schema, value)
    elif name in ("JSONSchemaPropsOrArray", "JSONSchemaPropsOrStringArray"):
        if isinstance(value, dict):
            fill(target.schema, value)
        elif name.endswith("StringArray"):
            target.property.extend(value)
        else:
            for each in value:
                fill(target.jSONSchemas.add(), each)
    elif isinstance(value, list):  # ExtraValue and its like: a message around a list.
        target.items.extend(value)
    elif name in ("RawExtension", "FieldsV1", "JSON"):
        setattr(target, target.DESCRIPTOR.fields[0].name, json.dumps(value).encode())
    elif name in ("Time", "MicroTime"):
        if value is not None:
            moment = datetime.fromisoformat(value)
            target.seconds, target.nanos = int(moment.timestamp()), moment.microsecond * 1000
    else:
        fill(target, value)
