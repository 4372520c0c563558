"""A CustomResourceDefinition itself: decoding the schemas inside it, and everything that can be wrong with one.

What all versions have in common is hoisted by the real server before it looks, so it complains of
`spec.validation.openAPIV3Schema…` where versions agree, and of `spec.versions[1].schema.openAPIV3Schema…` where not.

Mirrors:  k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/validation.go
"""

import re
from collections.abc import Iterator
from typing import Any

from cluster.apiserver import schema
from cluster.apiserver.registry.custom import jsonpath, rules, schemas, values
from cluster.apiserver.registry.custom.structure import Node, node_of
from cluster.apiserver.registry.metadata import duplicate, forbidden, invalid, not_supported, raw_invalid, required
from cluster.apiserver.registry.resource import Problem
from cluster.objects import Manifest
from cluster.objects.names import name_problems

APPROVAL = "api-approved.kubernetes.io"
MISSING_APPROVAL = (
    f'protected groups must have approval annotation "{APPROVAL}",'
    " see https://github.com/kubernetes/enhancements/pull/1111"
)
COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
NAME_1035 = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character,"
    " and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is"
    " '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
MOST_SELECTABLE = 8


def is_protected(group: str) -> bool:
    """Does the group belong to Kubernetes itself?"""
    return group in ("k8s.io", "kubernetes.io") or group.endswith((".k8s.io", ".kubernetes.io"))


def decode(raw: Manifest) -> tuple[Manifest, list[str]]:
    """The definition as Go would hold it. Errors: BadRequest."""
    kind = schema.type_of("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    label = 'CustomResourceDefinition in version "v1" cannot be handled as a CustomResourceDefinition'
    assert kind is not None
    obj, unknown = schema.decode(kind, raw, label)
    spec = obj.get("spec") or {}
    versions = [_decoded(version, number, label, unknown) for number, version in enumerate(spec.get("versions") or ())]
    if versions:
        spec = {**spec, "versions": versions}
    ordered = {"kind": "CustomResourceDefinition", "apiVersion": "apiextensions.k8s.io/v1"}
    return {**ordered, "metadata": obj.get("metadata", {}), **obj, "spec": spec}, unknown


def _decoded(version: Manifest, number: int, label: str, unknown: list[str]) -> Manifest:
    given = (version.get("schema") or {}).get("openAPIV3Schema")
    if given is None:
        return version
    path = f"spec.versions[{number}].schema.openAPIV3Schema"
    return {**version, "schema": {"openAPIV3Schema": schemas.decode(given, label, path, unknown)}}


# --- what is wrong ----------------------------------------------------------------------------------------------


def validate(definition: Manifest) -> list[Problem]:
    """Problems of a definition beside its metadata's, in the order in which the real server finds them."""
    spec = definition.get("spec") or {}
    names = spec.get("names") or {}
    found: list[Problem] = []
    if definition["metadata"].get("name") != f"{names.get('plural', '')}.{spec.get('group', '')}":
        told = 'must be spec.names.plural+"."+spec.group'
        found.append(invalid("metadata.name", definition["metadata"].get("name", ""), told))
    return [*found, *_spec(spec), *_stored(definition), *_approved(definition)]


def validate_update(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    """What may not change any more, beside everything that may never be."""
    if subresource == "status":
        return []
    before, spec = old["spec"], new.get("spec") or {}
    found = [] if spec == before else validate(new)
    established = any(
        condition.get("type") == "Established" and condition.get("status") == "True"
        for condition in (old.get("status") or {}).get("conditions") or ()
    )
    if established:
        names, known = spec.get("names") or {}, before["names"]
        fixed = [("spec.scope", spec.get("scope", ""), before["scope"])]
        fixed += [(f"spec.names.{part}", names.get(part, ""), known.get(part, "")) for part in ("kind", "plural")]
        fixed.append(("spec.group", spec.get("group", ""), before["group"]))
        found += [invalid(path, value, "field is immutable") for path, value, was in fixed if value != was]
    return found


def _spec(spec: Manifest) -> Iterator[Problem]:
    group, versions = spec.get("group", ""), spec.get("versions") or []
    if not group:
        yield required("spec.group")
    elif name_problems(group, "subdomain"):
        yield invalid("spec.group", group, ",".join(name_problems(group, "subdomain")))
    elif "." not in group:
        yield invalid("spec.group", group, "should be a domain with at least one dot")
    scope = spec.get("scope", "")
    if not scope:
        yield required("spec.scope")
    elif scope not in ("Cluster", "Namespaced"):
        yield not_supported("spec.scope", scope, ("Cluster", "Namespaced"))
    for number, version in enumerate(versions):
        if (version.get("schema") or {}).get("openAPIV3Schema") is None:
            yield required(f"spec.versions[{number}].schema.openAPIV3Schema")
    for number, version in enumerate(versions):
        yield from _version_name(version.get("name", ""), f"spec.versions[{number}].name")
    yield from _per_version(versions)
    if spec.get("preserveUnknownFields"):
        told = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        yield invalid("spec.preserveUnknownFields", True, told)
    listed = [version.get("name", "") for version in versions]
    if len(set(listed)) < len(listed):
        yield raw_invalid("spec.versions", _shown(versions), "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        told = "must have exactly one version marked as storage version"
        yield raw_invalid("spec.versions", _shown(versions), told)
    yield from _names(spec.get("names") or {})
    yield from _conversion(spec.get("conversion") or {})


def _shown(versions: list[Manifest]) -> str:
    """Versions as the real server's own structs, whose fields have capital letters."""
    fields = (
        "name", "served", "storage", "deprecated", "deprecationWarning", "schema", "subresources",
        "additionalPrinterColumns", "selectableFields",
    )  # fmt: skip
    shown = []
    for version in versions:
        given = {**version, "deprecated": bool(version.get("deprecated"))}
        if given.get("schema"):
            given["schema"] = {"OpenAPIV3Schema": given["schema"].get("openAPIV3Schema")}
        shown.append({name[0].upper() + name[1:]: given.get(name) for name in fields})
    return values.shown(shown) if versions else "null"


def _version_name(name: str, path: str) -> Iterator[Problem]:
    found = [] if _LABEL_1035.fullmatch(name) else [NAME_1035]
    if len(name) > 63:
        found.insert(0, "must be no more than 63 characters")
    if found:
        yield invalid(path, name, ",".join(found))


def _per_version(versions: list[Manifest]) -> Iterator[Problem]:
    """Schema, sub-resources, columns, selectable fields: once where all versions have the same."""
    if not versions:
        return
    for part, hoisted, check in (
        ("schema", "spec.validation", _schema),
        ("subresources", "spec.subresources", _subresources),
        ("additionalPrinterColumns", "spec.additionalPrinterColumns", _columns),
        ("selectableFields", "spec.selectableFields", _selectable),
    ):
        given = [version.get(part) for version in versions]
        if all(each == given[0] for each in given):
            yield from check(given[0], hoisted, versions[0])
        else:
            for number, version in enumerate(versions):
                yield from check(given[number], f"spec.versions[{number}].{part}", version)


def _schema(given: Any, path: str, version: Manifest) -> Iterator[Problem]:
    root = (given or {}).get("openAPIV3Schema")
    if not root:
        if root is not None:
            yield required(f"{path}.openAPIV3Schema.type", "must not be empty at the root")
        return
    found = schemas.problems(root, f"{path}.openAPIV3Schema")
    yield from found
    if not found:
        yield from rules.compile_problems(node_of(root), f"{path}.openAPIV3Schema")


def _subresources(given: Any, path: str, version: Manifest) -> Iterator[Problem]:
    scale = (given or {}).get("scale")
    if not scale:
        return
    for name, start in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        text, where = scale.get(name, ""), f"{path}.scale.{name}"
        if not text:
            yield required(where)
        else:
            yield from _simple_path(text, where)
            if not text.startswith(start):
                yield invalid(where, text, f"should be a json path under {start[:-1]}")
    selector = scale.get("labelSelectorPath")
    if selector:
        where = f"{path}.scale.labelSelectorPath"
        yield from _simple_path(selector, where)
        if not selector.startswith((".spec.", ".status.")):
            yield invalid(where, selector, "should be a json path under either .spec or .status")


def _simple_path(text: str, path: str) -> Iterator[Problem]:
    if not text.startswith("."):
        yield invalid(path, text, "must be a simple json path starting with .")


def _columns(given: Any, path: str, version: Manifest) -> Iterator[Problem]:
    for number, column in enumerate(given or ()):
        where = f"{path}[{number}]"
        if not column.get("name"):
            yield required(f"{where}.name")
        if not column.get("type"):
            yield required(f"{where}.type", f"must be one of {','.join(COLUMN_TYPES)}")
        elif column["type"] not in COLUMN_TYPES:
            yield invalid(f"{where}.type", column["type"], f"must be one of {','.join(COLUMN_TYPES)}")
        if column.get("format") and column["format"] not in COLUMN_FORMATS:
            yield invalid(f"{where}.format", column["format"], f"must be one of {','.join(COLUMN_FORMATS)}")
        text = column.get("jsonPath", "")
        if not text:
            yield required(f"{where}.JSONPath")
            continue
        problems = list(_simple_path(text, f"{where}.JSONPath"))
        yield from problems
        if not problems:
            try:
                jsonpath.compiled(text)
            except jsonpath.BadPath as error:
                yield invalid(f"{where}.JSONPath", text, f"is an invalid path: {error}")


def _selectable(given: Any, path: str, version: Manifest) -> Iterator[Problem]:
    fields = given or []
    if len(fields) > MOST_SELECTABLE:
        told = f"Too many: {len(fields)}: must have at most {MOST_SELECTABLE} items"
        yield {"reason": "FieldValueTooMany", "message": told, "field": path}
        return
    root = (version.get("schema") or {}).get("openAPIV3Schema") or {}
    seen: set[str] = set()
    for number, field in enumerate(fields):
        where, text = f"{path}[{number}].jsonPath", field.get("jsonPath", "")
        if not text:
            yield required(where)
            continue
        if text in seen:
            yield duplicate(where, text)
        seen.add(text)
        if not text.startswith("."):
            yield invalid(where, text, "is an invalid path: must be a simple json path starting with .")
            continue
        if text.startswith(".metadata"):
            yield invalid(where, text, "must not point to fields in metadata")
            continue
        node: Node | None = node_of(root)
        for part in text[1:].split("."):
            node = node.properties.get(part) if node is not None else None
        if node is None:
            yield invalid(where, text, "is an invalid path: does not refer to a valid field")
        elif node.type not in ("string", "integer", "boolean"):
            told = "must point to a field of type string, boolean or integer. Enum string fields and strings with"
            yield invalid(where, text, f"{told} formats are allowed.")


def _names(names: Manifest) -> Iterator[Problem]:
    for part in ("plural", "singular", "kind", "listKind"):
        if not names.get(part):
            yield required(f"spec.names.{part}")
    for part in ("plural", "singular"):
        if names.get(part):
            yield from _name(names[part], f"spec.names.{part}")
    for part in ("kind", "listKind"):
        text = names.get(part, "")
        if text and not _LABEL_1035.fullmatch(text.lower()):
            yield invalid(f"spec.names.{part}", text, f"may have mixed case, but should otherwise match: {NAME_1035}")
    for number, text in enumerate(names.get("shortNames") or ()):
        yield from _name(text, f"spec.names.shortNames[{number}]")
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")
    for number, text in enumerate(names.get("categories") or ()):
        yield from _name(text, f"spec.names.categories[{number}]")


def _name(text: str, path: str) -> Iterator[Problem]:
    found = [] if _LABEL_1035.fullmatch(text) else [NAME_1035]
    if len(text) > 63:
        found.insert(0, "must be no more than 63 characters")
    if found:
        yield invalid(path, text, ",".join(found))


def _conversion(conversion: Manifest) -> Iterator[Problem]:
    strategy = conversion.get("strategy", "")
    if not strategy:
        yield required("spec.conversion.strategy")
    elif strategy not in ("None", "Webhook"):
        yield not_supported("spec.conversion.strategy", strategy, ("None", "Webhook"))
    elif strategy == "Webhook":
        yield forbidden("spec.conversion.strategy", "conversion webhooks are not served by this version of Orrery")
    elif conversion.get("webhook"):
        told = "should not be set when strategy is not set to Webhook"
        yield forbidden("spec.conversion.webhookClientConfig", told)


def _stored(definition: Manifest) -> Iterator[Problem]:
    """Every version that objects may be stored in must still be there."""
    names = [version.get("name", "") for version in (definition.get("spec") or {}).get("versions") or ()]
    stored = (definition.get("status") or {}).get("storedVersions") or []
    for number, version in enumerate(stored):
        if version not in names:
            told = "missing from spec.versions; "
            told += f"{version} was previously a storage version, and must remain in spec.versions until a storage"
            told += f" migration ensures no data remains persisted in {version} and removes {version} from"
            yield invalid(f"status.storedVersions[{number}]", version, f"{told} status.storedVersions")


def _approved(definition: Manifest) -> Iterator[Problem]:
    annotations = definition["metadata"].get("annotations") or {}
    if is_protected((definition.get("spec") or {}).get("group", "")) and not annotations.get(APPROVAL):
        yield required(f"metadata.annotations[{APPROVAL}]", MISSING_APPROVAL)
