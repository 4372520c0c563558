"""What a new cluster has of API Priority and Fairness: two levels and schemas that are fixed, and those suggested.

Each is one line: name, level, precedence, how flows are told apart, whose requests, and which. Specs are complete: no
default would add to them.

Mirrors:  k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap/default.go
"""

from typing import Any

from cluster.objects import Manifest

ANNOTATIONS = {"apf.kubernetes.io/autoupdate-spec": "true"}


def _queue(shares: int, lendable: int, queues: int, hand: int) -> Manifest:
    queuing = {"queues": queues, "handSize": hand, "queueLengthLimit": 50}
    limited = {"nominalConcurrencyShares": shares, "limitResponse": {"type": "Queue", "queuing": queuing}}
    return {"type": "Limited", "limited": {**limited, "lendablePercent": lendable}}


LEVELS: dict[str, Manifest] = {
    "exempt": {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
    "catch-all": {
        "type": "Limited",
        "limited": {"nominalConcurrencyShares": 5, "limitResponse": {"type": "Reject"}, "lendablePercent": 0},
    },
}
SUGGESTED_LEVELS: dict[str, Manifest] = {
    "system": _queue(30, 33, 64, 6),
    "node-high": _queue(40, 25, 64, 6),
    "leader-election": _queue(10, 0, 16, 4),
    "workload-high": _queue(40, 50, 128, 6),
    "workload-low": _queue(100, 90, 128, 6),
    "global-default": _queue(20, 50, 128, 6),
}


def _groups(*names: str) -> list[Manifest]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _users(*names: str) -> list[Manifest]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _resources(verbs: list[str], group: str, resources: list[str], in_cluster: bool) -> Manifest:
    scope = {"clusterScope": True} if in_cluster else {}
    return {"verbs": verbs, "apiGroups": [group], "resources": resources, **scope, "namespaces": ["*"]}


def _schema(level: str, precedence: int, method: str, subjects: list[Manifest], **rules: list[Manifest]) -> Manifest:
    told_apart: dict[str, Any] = {"distinguisherMethod": {"type": method}} if method else {}
    spec = {"priorityLevelConfiguration": {"name": level}, "matchingPrecedence": precedence, **told_apart}
    return {**spec, "rules": [{"subjects": subjects, **rules}]}


_ALL = {
    "resourceRules": [_resources(["*"], "*", ["*"], True)],
    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
}
_ANYBODY = _groups("system:unauthenticated", "system:authenticated")
_KUBE_SYSTEM = [{"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": "*"}}]
_NODES, _MANAGER, _SCHEDULER = "system:nodes", "system:kube-controller-manager", "system:kube-scheduler"
_LEASES, _PROBES = "coordination.k8s.io", ["/healthz", "/readyz", "/livez"]

SCHEMAS: dict[str, Manifest] = {
    "exempt": _schema("exempt", 1, "", _groups("system:masters"), **_ALL),
    "catch-all": _schema("catch-all", 10_000, "ByUser", _ANYBODY, **_ALL),
}
SUGGESTED_SCHEMAS: dict[str, Manifest] = {
    "probes": _schema("exempt", 2, "", _ANYBODY, nonResourceRules=[{"verbs": ["get"], "nonResourceURLs": _PROBES}]),
    "system-leader-election": _schema(
        "leader-election", 100, "ByUser", [*_users(_MANAGER, _SCHEDULER), *_KUBE_SYSTEM],
        resourceRules=[_resources(["get", "create", "update"], _LEASES, ["leases"], False)],
    ),
    "system-node-high": _schema(
        "node-high", 400, "ByUser", _groups(_NODES),
        resourceRules=[
            _resources(["*"], "", ["nodes", "nodes/status"], True), _resources(["*"], _LEASES, ["leases"], False),
        ],
    ),
    "system-nodes": _schema("system", 500, "ByUser", _groups(_NODES), **_ALL),
    "kube-controller-manager": _schema("workload-high", 800, "ByNamespace", _users(_MANAGER), **_ALL),
    "kube-scheduler": _schema("workload-high", 800, "ByNamespace", _users(_SCHEDULER), **_ALL),
    "kube-system-service-accounts": _schema("workload-high", 900, "ByNamespace", _KUBE_SYSTEM, **_ALL),
    "service-accounts": _schema("workload-low", 9_000, "ByUser", _groups("system:serviceaccounts"), **_ALL),
    "global-default": _schema("global-default", 9_900, "ByUser", _ANYBODY, **_ALL),
}  # fmt: skip
