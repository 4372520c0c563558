"""Authorisation: may this user do that? Asked once a request, before anything else of it is looked at.

    Authorizer.decide(ask) ── system:masters may do everything, without a look
                           ├─ node.py   a node may see what the pods on it need, and change only itself
                           └─ rbac.py   roles, and who is bound to them

    asked.py         what a method and a path ask for: verb, resource, name
    escalation.py    nobody grants what they don't have themselves
    impersonation.py whose name one may take
    reviews.py       the same questions as API objects: `kubectl auth can-i`

The world asks with its informers, the gateway with committed rows: both are a `Source`. Whoever owns an Authorizer
calls `forget()` when a role or binding has changed; until then answers are remembered.

Mirrors:  kubernetes/pkg/kubeapiserver/authorizer (modes Node,RBAC), k8s.io/apiserver/pkg/authorization
Left out: webhooks, CEL conditions and structured authorisation configuration; our own components' writes are not asked.
Read next: rbac.py.
"""

from typing import NamedTuple, Protocol

from cluster.objects import Manifest, errors
from cluster.objects.users import User

__all__ = ["ALLOWED", "KINDS", "Ask", "Decision", "Source", "forbidden"]

KINDS = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")  # What decisions are made of.


class Source(Protocol):
    """Where roles, bindings and pods are found."""

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None: ...
    def list(self, kind: str, namespace: str | None = None) -> list[Manifest]: ...


class Ask(NamedTuple):
    """One question. `path`: of a request about no resource; then everything but `verb` is empty.

    `on_node`: the node that a field selector of pods chooses, which matters to nodes only.
    """

    user: User
    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    on_node: str = ""

    @property
    def full_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Decision(NamedTuple):
    """`reason`: why not, or why; often empty."""

    allowed: bool
    reason: str = ""


ALLOWED = Decision(True)


def forbidden(ask: Ask, reason: str = "") -> errors.ApiError:
    """The refusal, in the real words."""
    problem = _problem(ask) + (f": {reason}" if reason else "")
    if ask.path:
        return _PathForbidden(f"forbidden: {problem}", {})
    return errors.Forbidden(ask.group, ask.resource, ask.name, problem)


def _problem(ask: Ask) -> str:
    if ask.path:
        return f'User "{ask.user.name}" cannot {ask.verb} path "{ask.path}"'
    where = f'in the namespace "{ask.namespace}"' if ask.namespace else "at the cluster scope"
    return (
        f'User "{ask.user.name}" cannot {ask.verb} resource "{ask.full_resource}"'
        f' in API group "{ask.group}" {where}'
    )  # fmt: skip


class _PathForbidden(errors.ApiError):
    status, reason = 403, "Forbidden"
