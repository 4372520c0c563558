"""The menu beside every page: the kinds that the API serves, in groups; custom ones by themselves."""

from typing import Any

from django.utils.translation import gettext_lazy

from dashboard.webui.discovery import Kind

GROUPS = (
    (
        gettext_lazy("Workloads"),
        ("pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps", "replicasets.apps", "jobs.batch",
         "cronjobs.batch", "horizontalpodautoscalers.autoscaling", "poddisruptionbudgets.policy"),
    ),
    (
        gettext_lazy("Network"),
        ("services", "ingresses.networking.k8s.io", "networkpolicies.networking.k8s.io",
         "endpointslices.discovery.k8s.io", "ingressclasses.networking.k8s.io"),
    ),
    (gettext_lazy("Configuration"), ("configmaps", "secrets", "resourcequotas", "limitranges")),
    (
        gettext_lazy("Storage"),
        ("persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"),
    ),
    (
        gettext_lazy("Access"),
        ("serviceaccounts", "roles.rbac.authorization.k8s.io", "rolebindings.rbac.authorization.k8s.io",
         "clusterroles.rbac.authorization.k8s.io", "clusterrolebindings.rbac.authorization.k8s.io"),
    ),
    (
        gettext_lazy("Cluster"),
        ("nodes", "namespaces", "events", "priorityclasses.scheduling.k8s.io",
         "customresourcedefinitions.apiextensions.k8s.io", "apiservices.apiregistration.k8s.io"),
    ),
)  # fmt: skip
BUILT_IN = ("", "apps", "batch", "autoscaling", "policy", "extensions")


def menu(known: list[Kind], here: str) -> list[dict[str, Any]]:
    """[{"title", "entries": [{"title", "api", "is_here"}]}]. `here`: the path of the list that is shown."""
    listed = {kind.name: kind for kind in reversed(known) if "list" in kind.verbs}
    groups = [(title, [listed[name] for name in names if name in listed]) for title, names in GROUPS]
    custom = [kind for kind in listed.values() if is_custom(kind)]
    if custom:
        groups.append((gettext_lazy("Custom resources"), sorted(custom, key=lambda kind: kind.name)))
    return [
        {"title": title, "entries": [{"title": named(k), "api": k.list, "is_here": k.list == here} for k in kinds]}
        for title, kinds in groups
        if kinds
    ]


def is_custom(kind: Kind) -> bool:
    group = kind.name.partition(".")[2]
    return group not in BUILT_IN and not group.endswith(".k8s.io")


def named(kind: Kind) -> str:
    """A kind's plural, in the letters of its kind.

    >>> [named(Kind("", *each, "", True, (), ())) for each in (("Pod", "pods"), ("NetworkPolicy", "networkpolicies"))]
    ['Pods', 'NetworkPolicies']
    """
    letters = len(kind.kind) - 1
    if kind.plural.startswith(kind.kind.lower()):
        return kind.kind + kind.plural[len(kind.kind) :]
    return (
        kind.kind[:letters] + kind.plural[letters:]
        if kind.plural.startswith(kind.kind[:letters].lower())
        else kind.plural
    )
