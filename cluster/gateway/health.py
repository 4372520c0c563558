"""Health: /healthz, /livez, /readyz, each as a whole, with ?verbose one line a check, and each check alone.

    GET /readyz?verbose&exclude=etcd     [+]ping ok … [+]etcd excluded: ok … readyz check passed

A cluster is healthy when its rows can be read, also while its clock stands or its world sleeps: that is the check
`etcd`. The other names are those of a real server's start-up hooks, all of which are over before we answer at all.

Mirrors:  k8s.io/apiserver/pkg/server/healthz
Left out: checks that fail for a while at the start or during shutdown; /statusz, /flagz.
"""

from collections.abc import Iterator

from cluster.gateway import quorum
from cluster.gateway.http import NO_CACHE, NO_SNIFF, PAGE_NOT_FOUND, TEXT, Reply, Request, plain

ENDPOINTS = ("healthz", "livez", "readyz")
_HOOK = "poststarthook/"
_HOOKS = (
    "start-apiserver-admission-initializer",
    "generic-apiserver-start-informers",
    "priority-and-fairness-config-consumer",
    "priority-and-fairness-filter",
    "storage-object-count-tracker-hook",
    "start-apiextensions-informers",
    "start-apiextensions-controllers",
    "crd-informer-synced",
    "start-system-namespaces-controller",
    "peer-endpoint-reconciler-controller",
    "start-cluster-authentication-info-controller",
    "start-kube-apiserver-identity-lease-controller",
    "start-kube-apiserver-identity-lease-garbage-collector",
    "storage-readiness",
    "start-legacy-token-tracking-controller",
    "start-service-ip-repair-controllers",
    "rbac/bootstrap-roles",
    "scheduling/bootstrap-system-priority-classes",
    "priority-and-fairness-config-producer",
    "bootstrap-controller",
    "start-kubernetes-service-cidr-controller",
    "aggregator-reload-proxy-client-cert",
    "start-kube-aggregator-informers",
    "apiservice-status-local-available-controller",
    "apiservice-status-remote-available-controller",
    "apiservice-registration-controller",
    "apiservice-discovery-controller",
    "kube-apiserver-autoregistration",
)
_STARTED = (
    *(_HOOK + name for name in _HOOKS),
    "autoregister-completion",
    _HOOK + "apiservice-openapi-controller",
    _HOOK + "apiservice-openapiv3-controller",
)
_ALIVE = ("ping", "log", "loopback-serving-certificate", "etcd", *_STARTED)
CHECKS = {
    "healthz": _ALIVE,
    "livez": _ALIVE,
    "readyz": ("ping", "log", "etcd", "etcd-readiness", "informer-sync", *_STARTED, "shutdown"),
}  # Endpoint to its checks, in the order in which they are told.

ETCD = ("etcd", "etcd-readiness")  # The checks that fail without a quorum.
FAILED = b"error getting data from etcd: context deadline exceeded"


def answer(request: Request, parts: list[str]) -> Reply:
    """`parts`: the path's, of which the first is one of the endpoints."""
    endpoint, check = parts[0], "/".join(parts[1:])
    bad = ETCD if not quorum.is_there(request.cluster) else ()
    if check:
        if check not in CHECKS[endpoint]:
            return PAGE_NOT_FOUND
        if check in bad:
            return Reply(500, TEXT, b"internal server error: etcd failed: " + FAILED, (NO_CACHE, NO_SNIFF))
        return Reply(200, TEXT, b"ok", (NO_CACHE,))
    excluded = set(request.values("exclude"))
    failing = [each for each in CHECKS[endpoint] if each in bad and each not in excluded]
    if not request.has("verbose") and not failing:
        return plain(200, "ok")
    lines = [_line(each, each in excluded, each in failing) for each in CHECKS[endpoint]]
    unknown = ", ".join(f'"{name}"' for name in sorted(excluded - set(CHECKS[endpoint])))
    if unknown:
        lines.append(f"warn: some health checks cannot be excluded: no matches for {unknown}")
    text = "\n".join([*lines, f"{endpoint} check {'failed' if failing else 'passed'}", ""])
    return Reply(500 if failing else 200, TEXT, text.encode(), (NO_CACHE, NO_SNIFF))


def _line(check: str, excluded: bool, failing: bool) -> str:
    if failing:
        return f"[-]{check} failed: reason withheld"
    return f"[+]{check} {'excluded: ok' if excluded else 'ok'}"


def paths() -> Iterator[str]:
    """What GET / tells of this module."""
    for endpoint, checks in CHECKS.items():
        yield f"/{endpoint}"
        yield from (f"/{endpoint}/{check}" for check in checks)
