"""APIServices: one for every group and version that is served, those of custom kinds while there is a definition.

The numbers decide in which order clients are told of groups and of their versions.

Mirrors:  kubernetes/cmd/kube-apiserver/app/aggregator.go, pkg/controlplane/apiserver/aggregator.go,
          pkg/controlplane/controller/crdregistration
"""

from cluster.apiserver.kinds import BUILT_IN, DEFINITIONS
from cluster.engine.controller import Component
from cluster.objects import Manifest, errors, meta

MANAGED = "kube-aggregator.kubernetes.io/automanaged"
CUSTOM_GROUP, CUSTOM_VERSION = 1_000, 100
GROUPS = {
    "": 18_000, "apps": 17_800, "events.k8s.io": 17_750, "authentication.k8s.io": 17_700,
    "authorization.k8s.io": 17_600, "autoscaling": 17_500, "batch": 17_400, "certificates.k8s.io": 17_300,
    "networking.k8s.io": 17_200, "policy": 17_100, "rbac.authorization.k8s.io": 17_000, "storage.k8s.io": 16_800,
    "apiextensions.k8s.io": 16_700, "admissionregistration.k8s.io": 16_700, "scheduling.k8s.io": 16_600,
    "coordination.k8s.io": 16_500, "node.k8s.io": 16_300, "discovery.k8s.io": 16_200, "resource.k8s.io": 16_200,
    "flowcontrol.apiserver.k8s.io": 16_100, "storagemigration.k8s.io": 15_800,
}  # fmt: skip
VERSIONS = {
    ("", "v1"): 1, ("autoscaling", "v2"): 30, ("resource.k8s.io", "v1"): 21, ("flowcontrol.apiserver.k8s.io", "v1"): 21,
}  # fmt: skip
USUAL_VERSION = 15


def objects() -> list[Manifest]:
    """Of the built-in kinds, in order of their names."""
    served = sorted({(r.version, r.group) for r in BUILT_IN.resources if r.group in GROUPS})
    return [
        _object(group, version, GROUPS[group], VERSIONS.get((group, version), USUAL_VERSION), "onstart")
        for version, group in served
    ]


def _object(group: str, version: str, group_priority: int, version_priority: int, managed: str) -> Manifest:
    named = {"group": group, "version": version} if group else {"version": version}
    return {
        "kind": "APIService",
        "apiVersion": "apiregistration.k8s.io/v1",
        "metadata": {"name": f"{version}.{group}", "labels": {MANAGED: managed}},
        "spec": {**named, "groupPriorityMinimum": group_priority, "versionPriority": version_priority},
    }


class APIServices(Component):
    """Follows the definitions of custom kinds. Queue keys: their groups."""

    name = "crd-autoregister"
    user = "system:apiserver"

    def watch(self) -> None:
        self.informers.subscribe(DEFINITIONS, self._changed, self.name)

    def _changed(self, old: Manifest | None, new: Manifest | None) -> None:
        definition = new or old or {}
        self.queue.add(definition["spec"]["group"])

    def process(self, key: str) -> None:
        wanted = sorted(set(self._versions(key)))
        for version in wanted:
            try:
                self.client.create(_object(key, version, CUSTOM_GROUP, CUSTOM_VERSION, "true"))
            except errors.AlreadyExists:
                continue
        for entry in self.informers.list("APIService"):
            spec = entry["spec"]
            gone = spec.get("group") == key and spec["version"] not in wanted
            if gone and meta.labels(entry).get(MANAGED) == "true":
                self.client.delete("APIService", "", meta.name(entry))

    def _versions(self, group: str) -> list[str]:
        """Versions that established definitions of the group serve."""
        return [
            version["name"]
            for definition in self.informers.list(DEFINITIONS)
            if definition["spec"]["group"] == group and _is_established(definition)
            for version in definition["spec"]["versions"]
            if version.get("served")
        ]


def _is_established(definition: Manifest) -> bool:
    conditions = (definition.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Established" and c.get("status") == "True" for c in conditions)
