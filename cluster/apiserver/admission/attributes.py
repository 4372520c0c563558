"""What an admission plugin may look at."""

from dataclasses import dataclass

from cluster.apiserver.registry import Resource
from cluster.objects import Manifest
from cluster.objects.users import User


@dataclass(slots=True)
class Attributes:
    """One request on its way through admission. `operation`: create, update, update/status …, delete."""

    operation: str
    resource: Resource
    subresource: str
    namespace: str
    name: str
    user: User
    obj: Manifest
    old: Manifest | None
    dry_run: bool
