"""Admission: what the API server changes or forbids between decoding and storing.

    decode → default → MUTATING plugins → the kind's own rules → VALIDATING plugins → store

Mutating plugins see the object as it was sent and may complete it; validating ones see it as it would be stored and may
only refuse. PLUGINS has them in the real server's order, and the order matters: a LimitRange's defaults are there
before anything counts them, and a quota is charged last, when nobody else can refuse any more.

A plugin is one file with one `PLUGIN` entry, and one line here. Its entry says which kinds and operations it wants, so
that a request costs nothing for the plugins that are not interested in it.

Mirrors:  kubernetes/pkg/kubeapiserver/options/plugins.go (AllOrderedPlugins), k8s.io/apiserver/pkg/admission/chain.go
Left out: the plugins that are off by default (AlwaysPullImages, EventRateLimit, PodNodeSelector …).
"""

from functools import lru_cache
from typing import Any

from cluster.apiserver.admission import (
    certificates,
    claim_resize,
    default_classes,
    default_tolerations,
    limit_ranger,
    mutating_policy,
    namespace_lifecycle,
    node_restriction,
    pod_security,
    priority,
    resource_quota,
    role_escalation,
    runtime_class,
    service_account,
    storage_in_use,
    taint_nodes_by_condition,
    topology_labels,
    validating_policy,
    webhooks,
)
from cluster.apiserver.admission.attributes import CONNECT, CREATE, DELETE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.apiserver.stages import Stages
from cluster.objects import Manifest

__all__ = ["CONNECT", "CREATE", "DELETE", "PLUGINS", "UPDATE", "Attributes", "Plugin", "mutate", "validate"]

PLUGINS: tuple[Plugin, ...] = (
    namespace_lifecycle.PLUGIN,
    *limit_ranger.PLUGINS,
    *service_account.PLUGINS,
    node_restriction.PLUGIN,
    taint_nodes_by_condition.PLUGIN,
    *pod_security.PLUGINS,
    *priority.PLUGINS,
    default_tolerations.PLUGIN,
    default_classes.STORAGE,
    storage_in_use.PLUGIN,
    claim_resize.PLUGIN,
    runtime_class.PLUGIN,
    *certificates.PLUGINS,
    default_classes.INGRESS,
    topology_labels.PLUGIN,
    mutating_policy.PLUGIN,
    role_escalation.PLUGIN,
    validating_policy.PLUGIN,
    webhooks.PLUGIN,
    *resource_quota.PLUGINS,
)


@lru_cache(maxsize=4096)
def mutating(kind: str, operation: str, subresource: str) -> tuple[Plugin, ...]:
    """The plugins that may change such a request, in their order. `kind`: `Pod`, or a custom one's `crontabs.x.io`."""
    return tuple(p for p in PLUGINS if p.mutate is not None and p.wants(kind, operation, subresource))


@lru_cache(maxsize=4096)
def validating(kind: str, operation: str, subresource: str) -> tuple[Plugin, ...]:
    """The plugins that may refuse such a request once it is complete, in their order."""
    return tuple(p for p in PLUGINS if p.validate is not None and p.wants(kind, operation, subresource))


def mutate(server: Any, attributes: Attributes, stages: Stages | None = None) -> Manifest:
    """The object as plugins and webhooks want it; `attributes.obj` follows. Errors: any ApiError; webhooks.Wanted.

    After a webhook changed the object plugins look at it once more, and then the webhooks that asked for that.
    """
    attributes.stages = stages
    _mutate(server, attributes, stages)
    if attributes.hooks is not None and webhooks.mutate(server, attributes, again=False):
        _mutate(server, attributes, None)
        webhooks.mutate(server, attributes, again=True)
    return attributes.obj


def _mutate(server: Any, attributes: Attributes, stages: Stages | None) -> None:
    for plugin in mutating(attributes.resource.cache, attributes.operation, attributes.subresource):
        before = attributes.obj
        if stages is not None:
            stages.enter("mutating", plugin.name)
        attributes.obj = plugin.mutate(server, attributes)  # type: ignore[misc]
        if stages is not None and attributes.obj is not before:
            stages.changed(before, attributes.obj)


def validate(server: Any, attributes: Attributes, stages: Stages | None = None) -> None:
    """Ask the validating plugins and webhooks. Errors: any ApiError; webhooks.Wanted."""
    attributes.is_complete, attributes.stages = True, stages
    for plugin in validating(attributes.resource.cache, attributes.operation, attributes.subresource):
        if stages is not None:
            stages.enter("validating", plugin.name)
        warned = len(attributes.warnings)
        plugin.validate(server, attributes)  # type: ignore[misc]
        if stages is not None and plugin is not webhooks.PLUGIN:  # Each webhook's word stands in a row of its own.
            stages.say(warned=attributes.warnings[warned:], audit=list(attributes.audit.values()))
            attributes.audit.clear()
