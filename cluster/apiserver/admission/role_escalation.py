"""Role escalation: who writes a role or a binding must hold what it grants. See authorization/escalation.py.

In the real server this is no admission plugin: it sits between admission and validation, around the storage of roles.
Here it is the last of the mutating plugins, which is the same moment.

Mirrors:  kubernetes/pkg/registry/rbac/*/policybased/storage.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.apiserver.authorization import KINDS, escalation
from cluster.objects import Manifest


def admit(server: Any, attributes: Attributes) -> Manifest:
    """Errors: Forbidden, NotFound (the role that is bound)."""
    escalation.check(server.authorizer, attributes.user, attributes.obj, attributes.old)
    return attributes.obj


PLUGIN = Plugin("RoleEscalation", mutate=admit, kinds=KINDS, operations=(CREATE, UPDATE))
