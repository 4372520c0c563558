"""Users: who sends a request. A name, its groups, perhaps a uid and what else the credential said. Plain data.

Kubernetes keeps no list of users. Whoever shows a certificate *is* its common name, in the groups of its organisations;
a service account's token is `system:serviceaccount:<namespace>:<name>`. Components of the cluster are users, too.

Mirrors:  k8s.io/apiserver/pkg/authentication/user, serviceaccount (util.go)
"""

from functools import lru_cache
from typing import Any, NamedTuple

MASTERS = "system:masters"  # May do everything; no rule is asked.
AUTHENTICATED, UNAUTHENTICATED = "system:authenticated", "system:unauthenticated"
NODES, ACCOUNTS = "system:nodes", "system:serviceaccounts"
ACCOUNT_PREFIX, NODE_PREFIX = "system:serviceaccount:", "system:node:"


class User(NamedTuple):
    """`extra`: pairs of a key and its values, sorted by key."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def is_master(self) -> bool:
        return MASTERS in self.groups

    def info(self) -> dict[str, Any]:
        """authentication.k8s.io UserInfo: what reviews show."""
        shown: dict[str, Any] = {"username": self.name} if self.name else {}
        if self.uid:
            shown["uid"] = self.uid
        if self.groups:
            shown["groups"] = list(self.groups)
        if self.extra:
            shown["extra"] = {key: list(values) for key, values in self.extra}
        return shown

    def plain(self) -> dict[str, Any]:
        """As an input of the world records it."""
        shown: dict[str, Any] = {"name": self.name, "groups": list(self.groups)}
        if self.uid:
            shown["uid"] = self.uid
        if self.extra:
            shown["extra"] = {key: list(values) for key, values in self.extra}
        return shown


ADMIN = User("system:admin", (MASTERS, AUTHENTICATED))  # Who comes over plain http from this machine.
ANONYMOUS = User("system:anonymous", (UNAUTHENTICATED,))


def from_plain(recorded: Any) -> User:
    """The user of a recorded input. Inputs of older versions hold a bare name, of somebody who could do all."""
    if not recorded:
        return ADMIN
    if isinstance(recorded, str):
        return User(recorded, (MASTERS, AUTHENTICATED))
    extra = sorted((key, tuple(values)) for key, values in (recorded.get("extra") or {}).items())
    return User(recorded.get("name", ""), tuple(recorded.get("groups") or ()), recorded.get("uid", ""), tuple(extra))


@lru_cache(maxsize=16_384)
def named(name: str) -> User:
    """The user that a component's credential stands for: its groups follow from its name.

    >>> named("system:node:worker-1").groups
    ('system:nodes', 'system:authenticated')
    """
    if name == ADMIN.name:
        return ADMIN
    if name == "system:apiserver":  # The API server's calls to itself: its loopback client.
        return User(name, (MASTERS, AUTHENTICATED))
    if name.startswith(NODE_PREFIX):
        return User(name, (NODES, AUTHENTICATED))
    account = account_of(name)
    if account:
        return User(name, (*account_groups(account[0]), AUTHENTICATED))
    return User(name, (AUTHENTICATED,))


def account_name(namespace: str, name: str) -> str:
    return f"{ACCOUNT_PREFIX}{namespace}:{name}"


def account_groups(namespace: str) -> tuple[str, ...]:
    return ACCOUNTS, f"{ACCOUNTS}:{namespace}"


def account_of(user: str) -> tuple[str, str] | None:
    """(namespace, name) of a service account's user name; None if it is no such name."""
    namespace, separator, name = user.removeprefix(ACCOUNT_PREFIX).partition(":")
    if not user.startswith(ACCOUNT_PREFIX) or not separator or not namespace or not name or ":" in name:
        return None
    return namespace, name
