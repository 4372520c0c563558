"""The authorisers in their order: masters, nodes, RBAC. The first yes counts; every no has its say.

Mirrors:  k8s.io/apiserver/pkg/authorization/union
"""

from cluster.apiserver.authorization import ALLOWED, Ask, Decision, Source, forbidden
from cluster.apiserver.authorization.node import NodeAuthorizer
from cluster.apiserver.authorization.rbac import Rbac
from cluster.objects import users


class Authorizer:
    """Decides by the objects of `source`; call `forget` when a role or a binding has changed."""

    def __init__(self, source: Source) -> None:
        self.rbac = Rbac(source)
        self._node = NodeAuthorizer(source)

    def forget(self) -> None:
        self.rbac.forget()

    def decide(self, ask: Ask) -> Decision:
        if ask.user.is_master:
            return ALLOWED
        by_node = self._node.decide(ask) if users.NODES in ask.user.groups else None
        if by_node is not None and by_node.allowed:
            return by_node
        decision = self.rbac.decide(ask)
        if decision.allowed or by_node is None or not by_node.reason:
            return decision
        return Decision(False, "\n".join(filter(None, (by_node.reason, decision.reason))))

    def check(self, ask: Ask) -> None:
        """Errors: Forbidden."""
        decision = self.decide(ask)
        if not decision.allowed:
            raise forbidden(ask, decision.reason)
