"""What is known of the cluster's objects, wherever it is kept: an informer's memory, or committed rows."""

from typing import Protocol

from cluster.objects import Manifest


class Objects(Protocol):
    def get(self, kind: str, namespace: str, name: str) -> Manifest | None: ...

    def list(self, kind: str, namespace: str | None = None) -> list[Manifest]: ...
