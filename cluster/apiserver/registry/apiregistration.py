"""apiregistration.k8s.io: who answers for which group and version. Local ones are the API server's own.

Mirrors:  k8s.io/kube-aggregator/pkg/apis/apiregistration, pkg/registry/apiservice
Left out: the proxy to other API servers: an APIService with a Service is kept, and stays without a verdict.
"""

from cluster.apiserver.registry.metadata import invalid, not_supported, required
from cluster.apiserver.registry.resource import Problem, Resource, Subresource
from cluster.apiserver.registry.rules import dns1035_problems, port, subdomain
from cluster.objects import Manifest
from cluster.objects.names import name_problems

GROUP = "apiregistration.k8s.io"
STATUSES = ("True", "False", "Unknown")
HIGHEST_GROUP, HIGHEST_VERSION = 20_000, 1_000


def _default_service(entry: Manifest) -> Manifest:
    service = (entry.get("spec") or {}).get("service")
    if service is None or "port" in service:
        return entry
    return {**entry, "spec": {**entry["spec"], "service": {**service, "port": 443}}}


def _available(entry: Manifest, old: Manifest | None, now: str) -> Manifest:
    """A local one is available as soon as it is there."""
    if old is not None or (entry.get("spec") or {}).get("service") is not None:
        return entry
    condition = {"type": "Available", "status": "True", "lastTransitionTime": now, "reason": "Local"}
    return {**entry, "status": {"conditions": [{**condition, "message": "Local APIServices are always available"}]}}


def _problems(entry: Manifest) -> list[Problem]:
    name, spec = entry["metadata"].get("name", ""), entry.get("spec") or {}
    group, version, service = spec.get("group", ""), spec.get("version", ""), spec.get("service")
    wanted = f"{version}.{group}"
    found = [invalid("metadata.name", name, problem) for problem in name_problems(name, "path")]
    if not found and name != wanted:
        found = [invalid("metadata.name", name, f'must be `spec.version+"."+spec.group`: "{wanted}"')]
    if not group and version != "v1":
        found.append(required("spec.group", "only v1 may have an empty group and it better be legacy kube"))
    if group:
        found += subdomain("spec.group", group)
    found += [invalid("spec.version", version, problem) for problem in dns1035_problems(version)]
    for field, most in (("groupPriorityMinimum", HIGHEST_GROUP), ("versionPriority", HIGHEST_VERSION)):
        if not 0 < spec.get(field, 0) <= most:
            found.append(invalid(f"spec.{field}", spec.get(field, 0), f"must be positive and less than {most}"))
    return [*found, *(_local(spec) if service is None else _remote(spec, service))]


def _local(spec: Manifest) -> list[Problem]:
    found, bundle = [], spec.get("caBundle")
    if bundle:
        size = len(bundle) * 3 // 4 - bundle.count("=")
        found.append(invalid("spec.caBundle", f"{size} bytes", "local APIServices may not have a caBundle"))
    if spec.get("insecureSkipTLSVerify"):
        message = "local APIServices may not have insecureSkipTLSVerify"
        found.append(invalid("spec.insecureSkipTLSVerify", True, message))
    return found


def _remote(spec: Manifest, service: Manifest) -> list[Problem]:
    found = [required(f"spec.service.{part}") for part in ("namespace", "name") if not service.get(part)]
    found += port("spec.service.port", service["port"])
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        found.append(invalid("spec.insecureSkipTLSVerify", True, "may not be true if caBundle is present"))
    return found


def _status_problems(old: Manifest, new: Manifest, subresource: str) -> list[Problem]:
    conditions = (new.get("status") or {}).get("conditions") or [] if subresource == "status" else []
    return [
        not_supported(f"status.conditions[{number}].status", condition.get("status", ""), STATUSES)
        for number, condition in enumerate(conditions)
        if condition.get("status", "") not in STATUSES
    ]


API_SERVICE = Resource(
    GROUP, "v1", "APIService", "apiservices", namespaced=False, categories=("api-extensions",), name_rule="any",
    storage="apiregistration.k8s.io/apiservices", unconditional=False, has_status=True,
    subresources={"status": Subresource("APIService")}, default=_default_service,
    on_create=lambda entry: {**entry, "status": {}}, stamp=_available, validate=_problems,
    validate_update=_status_problems,
)  # fmt: skip

RESOURCES = (API_SERVICE,)
