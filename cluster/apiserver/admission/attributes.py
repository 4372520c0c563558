"""What an admission plugin may look at, and where it leaves its warnings."""

from dataclasses import dataclass, field
from typing import Any

from cluster.apiserver.registry import Resource
from cluster.apiserver.stages import Stages
from cluster.objects import Manifest
from cluster.objects.users import User

CREATE, UPDATE, DELETE, CONNECT = "create", "update", "delete", "connect"


@dataclass(slots=True)
class Attributes:
    """One request on its way through admission.

    `operation`: create, update, delete, connect. `resource` and `subresource`: what the URL names, while `obj` is what
    was sent there: the Binding of pods/binding, the options of pods/exec. `name`: while mutating plugins run a new
    object may not have its name yet; then its generateName stands for it, as in the real server's messages.
    """

    operation: str
    resource: Resource
    subresource: str
    namespace: str
    name: str
    user: User
    obj: Manifest
    old: Manifest | None = None
    dry_run: bool = False
    warnings: list[str] = field(default_factory=list)  # What the answer shall warn of.
    stages: Stages | None = None  # Where the request's way is written down.
    hooks: Any = None  # What webhooks answered (webhooks.Hooks); None: they are not asked.
    is_complete: bool = False  # Is it as it would be stored? True for validating plugins.
    audit: dict[str, str] = field(default_factory=dict)  # Notes for the audit log: what would have been refused.
