"""Admission: what the API server changes or forbids after decoding and before validation.

A plugin is one file with one function `admit(server, attributes) -> object`; ADMISSION says for which kinds it runs, in
the real server's order. A plugin returns the very object it got if it has nothing to say.

Mirrors:  kubernetes/pkg/kubeapiserver/options/plugins.go (AllOrderedPlugins)
Left out: LimitRanger, PodSecurity, ResourceQuota, storage plugins, admission policies and webhooks.
"""

from collections.abc import Callable
from typing import Any

from cluster.apiserver.admission import (
    default_tolerations,
    namespace_lifecycle,
    priority,
    runtime_class,
    service_account,
    taint_nodes_by_condition,
)
from cluster.apiserver.admission.attributes import Attributes
from cluster.objects import Manifest

Plugin = Callable[[Any, Attributes], Manifest]

_ALWAYS: tuple[Plugin, ...] = (namespace_lifecycle.admit,)

ADMISSION: dict[str, tuple[Plugin, ...]] = {
    "": _ALWAYS,
    "Node": (*_ALWAYS, taint_nodes_by_condition.admit),
    "Pod": (*_ALWAYS, service_account.admit, priority.admit, default_tolerations.admit, runtime_class.admit),
}

__all__ = ["ADMISSION", "Attributes", "Plugin"]
