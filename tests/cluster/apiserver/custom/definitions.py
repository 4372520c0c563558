"""Definitions for tests: one of our own with every switch, and the shapes of well-known operators."""

from typing import Any

from cluster.objects import Manifest

CRON_SCHEMA = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "required": ["cronSpec"],
            "properties": {
                "cronSpec": {"type": "string", "pattern": r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$"},
                "image": {"type": "string", "default": "busybox"},
                "replicas": {"type": "integer", "minimum": 1, "maximum": 10, "default": 1},
            },
        },
        "status": {
            "type": "object",
            "properties": {"replicas": {"type": "integer"}, "labelSelector": {"type": "string"}},
        },
    },
}
COLUMNS = [
    {"name": "Spec", "type": "string", "description": "The cron spec", "jsonPath": ".spec.cronSpec"},
    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]
SCALE = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".status.labelSelector",
}


def a_definition(
    kind: str = "CronTab",
    group: str = "stable.example.com",
    schema: Manifest | None = None,
    versions: list[Manifest] | None = None,
    scope: str = "Namespaced",
    names: Manifest | None = None,
    **version: Any,
) -> Manifest:
    """A definition with one version, or with `versions`."""
    plural = f"{kind.lower()}s"
    one = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema or {"type": "object"}}}
    named = {"plural": plural, "singular": kind.lower(), "kind": kind, **(names or {})}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{named['plural']}.{group}"},
        "spec": {"group": group, "scope": scope, "names": named, "versions": versions or [{**one, **version}]},
    }


def a_crontab_definition(**changes: Any) -> Manifest:
    """The one of the documentation, with sub-resources and columns."""
    parts = {"status": {}, "scale": SCALE}
    names = {"shortNames": ["ct"], "categories": ["all"]}
    made = {"schema": CRON_SCHEMA, "subresources": parts, "additionalPrinterColumns": COLUMNS, "names": names}
    return a_definition(**{**made, **changes})


def an_object(kind: str = "CronTab", name: str = "one", group: str = "stable.example.com/v1", **parts: Any) -> Manifest:
    return {"apiVersion": group, "kind": kind, "metadata": {"name": name}, **parts}


def a_crontab(name: str = "one", **spec: Any) -> Manifest:
    return an_object(name=name, spec={"cronSpec": "* * * * */5", **spec})


def with_rules(*rules: Manifest, **fields: Manifest) -> Manifest:
    """A definition whose `spec` has these fields and these rules."""
    spec = {"type": "object", "properties": fields, "x-kubernetes-validations": list(rules)}
    return a_definition(schema={"type": "object", "properties": {"spec": spec}})
