"""One definition, one Resource a version: names from what was accepted, and the functions that a schema makes.

All versions of a kind differ in nothing but their name and their schema (conversion `None`), so an object of one is
shown as another by its apiVersion, pruned and defaulted by that one's schema. What a schema says is compiled when the
first object needs it.

    request ──> decode (prune, metadata) ──> default ──> prepare ──> validate (schema, lists, rules) ──> stored version
"""

from functools import cached_property
from typing import Any

from cluster.apiserver import schema
from cluster.apiserver.registry.custom import rules, values
from cluster.apiserver.registry.custom.columns import printer
from cluster.apiserver.registry.custom.defaulting import default
from cluster.apiserver.registry.custom.pruning import prune, without_nulls
from cluster.apiserver.registry.custom.scale import Scale
from cluster.apiserver.registry.custom.structure import Node, node_of
from cluster.apiserver.registry.custom.types import META, openapi, type_name, type_of
from cluster.apiserver.registry.resource import ALL_VERBS, Problem, Resource, Subresource
from cluster.apiserver.schema import Type
from cluster.apiserver.schema.types import named
from cluster.objects import Manifest, conditions
from cluster.objects.memo import IdentityMemo

__all__ = ["resources_of", "type_name"]

_resources = IdentityMemo(1024)
WHILE_TERMINATING = "create not allowed while custom resource definition is terminating"
ENVELOPE = ("kind", "apiVersion", "metadata")


def resources_of(definition: Manifest) -> tuple[Resource, ...]:
    """The kinds that a definition makes: its served versions and the stored one; none before it is established."""
    return _resources.get(definition, "", _resources_of)  # type: ignore[no-any-return]


def _resources_of(definition: Manifest) -> tuple[Resource, ...]:
    names = (definition.get("status") or {}).get("acceptedNames") or {}
    known = f"{names.get('plural')}.{definition['spec']['group']}" == definition["metadata"]["name"]
    if not conditions.is_true(definition, "Established") or not known or not names.get("kind"):
        return ()
    versions = definition["spec"]["versions"]
    return tuple(_resource(definition, each) for each in versions if each["served"] or each["storage"])


def _resource(definition: Manifest, version: Manifest) -> Resource:
    spec, names = definition["spec"], definition["status"]["acceptedNames"]
    parts = version.get("subresources") or {}
    subresources: dict[str, Subresource] = {}
    if "status" in parts:
        subresources["status"] = Subresource(names["kind"])
    if parts.get("scale"):
        subresources["scale"] = Subresource("Scale", group="autoscaling", version="v1")
    stored = next(each["name"] for each in spec["versions"] if each["storage"])
    made = Version(spec["group"], version, names["kind"], names.get("listKind") or "", stored)
    return Resource(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        singular=names.get("singular") or "",
        verbs=ALL_VERBS if version["served"] else (),  # Without verbs it is there for its objects' end only.
        subresources=subresources,
        storage=f"{spec['group']}/{names['plural']}",
        selectable=tuple(each["jsonPath"].removeprefix(".") for each in version.get("selectableFields") or ()),
        cache=definition["metadata"]["name"],
        stored_version=stored,
        list_kind=names.get("listKind") or "",
        has_status="status" in parts,
        generation=True,
        unconditional=False,
        decode=made.decode,
        default=made.default,
        on_create=made.on_create,
        prepare_update=made.prepare_update,
        validate=made.validate,
        validate_update=made.validate_update,
        ratchets=True,
        to_stored=made.to_stored,
        from_stored=made.from_stored,
        scale_of=made.scale.shown if made.scale else None,
        scaled=made.scale.scaled if made.scale else None,
        printer=printer(version.get("additionalPrinterColumns") or []),
        openapi=made.openapi,
        structure=lambda: made.type,
        refuses=WHILE_TERMINATING if conditions.is_true(definition, "Terminating") else "",
        deprecated=_deprecation(spec["group"], version, names["kind"]),
    )


def _deprecation(group: str, version: Manifest, kind: str) -> str:
    if not version.get("deprecated"):
        return ""
    return str(version.get("deprecationWarning") or f"{group}/{version['name']} {kind} is deprecated")


class Version:
    """What one version's schema does with objects."""

    def __init__(self, group: str, version: Manifest, kind: str, list_kind: str, stored: str) -> None:
        self.group, self.name, self.kind, self.list_kind = group, version["name"], kind, list_kind
        self.api_version, self.stored_api_version = f"{group}/{version['name']}", f"{group}/{stored}"
        self.raw: Manifest = (version.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
        parts = version.get("subresources") or {}
        self.has_status = "status" in parts
        self.scale = Scale(parts["scale"], kind) if parts.get("scale") else None

    @cached_property
    def node(self) -> Node:
        return node_of(self.raw)

    @cached_property
    def type(self) -> Type:
        return type_of(self.node, self.kind)

    def openapi(self) -> Manifest:
        return openapi(self.node, self.group, self.name, self.kind, self.list_kind or f"{self.kind}List")

    # --- in and out ---------------------------------------------------------------------------------------------

    def decode(self, raw: Manifest) -> tuple[Manifest, list[str]]:
        """`raw` without what the schema does not know, and what that was. Errors: BadRequest."""
        label = f'{raw.get("kind", self.kind)} in version "{self.name}" cannot be handled as a {self.kind}'
        given = raw.get("metadata")
        metadata, unknown = schema.decode(_METADATA, given if isinstance(given, dict) else {}, label)
        if given is not None and not isinstance(given, dict):
            schema.decode(_ENVELOPE, {"metadata": given}, label)
        pruned, extra = prune(raw, self.node)
        body = {key: value for key, value in without_nulls(pruned, self.node).items() if key not in ENVELOPE}
        problems = [problem.replace('"', '"metadata.', 1) for problem in unknown]
        problems += [f'unknown field "{path}"' for path in extra]
        return {"kind": self.kind, "apiVersion": self.api_version, "metadata": metadata, **body}, problems

    def default(self, obj: Manifest) -> Manifest:
        return default(obj, self.node)  # type: ignore[no-any-return]

    def to_stored(self, obj: Manifest) -> Manifest:
        return obj if obj["apiVersion"] == self.stored_api_version else {**obj, "apiVersion": self.stored_api_version}

    def from_stored(self, obj: Manifest) -> Manifest:
        """As this version shows it: with defaults that came later, without fields that went since."""
        shown, _ = prune(default(obj, self.node), self.node)
        if shown["apiVersion"] != self.api_version:
            shown = {**shown, "apiVersion": self.api_version}
        return shown  # type: ignore[no-any-return]

    # --- strategy -----------------------------------------------------------------------------------------------

    def on_create(self, obj: Manifest) -> Manifest:
        return {key: value for key, value in obj.items() if key != "status"} if self.has_status else obj

    def prepare_update(self, old: Manifest, new: Manifest, subresource: str) -> Manifest:
        """A status changes nothing but the status; anything else not the status, and its generation."""
        before, new = self._now(old), self.to_stored(new)
        if subresource == "status":
            kept = {key: value for key, value in before.items() if key != "status"}
            status = default(new, self.node).get("status")
            kept["metadata"] = {**old["metadata"]}
            return kept if status is None else {**kept, "status": status}
        if self.has_status:
            new = {key: value for key, value in new.items() if key != "status"}
            if "status" in before:
                new["status"] = before["status"]
        ignored = (*ENVELOPE, "status") if self.has_status else ENVELOPE
        if _without(new, ignored) != _without(before, ignored):
            generation = old["metadata"].get("generation", 0) + 1
            new = {**new, "metadata": {**new["metadata"], "generation": generation}}
        return new

    def _now(self, old: Manifest) -> Manifest:
        """The stored object as it would be stored today."""
        return self.to_stored(self.from_stored(old))

    def validate(self, obj: Manifest) -> list[Problem]:
        found = values.validate(obj, self.node)
        if self.scale:
            found += self.scale.problems(obj)
        found += values.extras(obj, self.node)
        return rules.checked(found, obj, self.node, values.ABSENT)

    def validate_update(self, old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
        before = self._now(old)
        found = values.validate(new, self.node, before)
        if self.scale:
            found += self.scale.problems(new)
        found += values.extras(new, self.node, before)
        return rules.checked(found, new, self.node, before)


_METADATA = named(f"{META}.ObjectMeta")
_ENVELOPE = Type("object", fields={"metadata": {"$ref": f"#/components/schemas/{META}.ObjectMeta"}}, name="")


def _without(obj: Manifest, names: tuple[str, ...]) -> dict[str, Any]:
    return {key: value for key, value in obj.items() if key not in names}
