"""A cluster in its committed rows, as `backends` and `network` ask for it. One look: what was read once is kept."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import orjson

from cluster.apiserver import registry
from cluster.apiserver.kinds import BUILT_IN, Kinds
from cluster.apiserver.reads import Reader, Snapshot
from cluster.apiserver.size import History, history
from cluster.kubeproxy import rules
from cluster.network import address_index
from cluster.objects import Manifest

Records = list[dict[str, Any]]
Listed = list[Manifest]


class Site:
    """The cluster called `cluster` at the moment of `snapshot`. Not to be used by two threads at once."""

    def __init__(self, reader: Reader, cluster: str, snapshot: Snapshot) -> None:
        self._reader, self._cluster, self._id = reader, cluster, snapshot.id
        self.epoch, self.now, self.revision = snapshot.epoch, snapshot.sim_now, snapshot.revision
        self.served: Kinds = BUILT_IN  # Whoever wants custom kinds to be counted says which there are.
        self._listed: dict[tuple[str, str], Listed] = {}

    @classmethod
    def of(cls, reader: Reader, cluster: str) -> "Site | None":
        """As it is now; None: there is no such cluster."""
        snapshot = reader.cluster(cluster)
        return cls(reader, cluster, snapshot) if snapshot is not None else None

    @cached_property
    def options(self) -> dict[str, Any]:
        settings = self._reader.settings(self._cluster)
        return settings.options if settings is not None else {}

    # --- objects ------------------------------------------------------------------------------------------------

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        found = self._reader.get(self._cluster, registry.by_kind(kind).storage_key(namespace, name))
        return orjson.loads(found[1]) if found is not None and found[1] is not None else None

    def list(self, kind: str, namespace: str | None = None) -> Listed:
        key = (kind, namespace or "")
        if key not in self._listed:
            found = self._reader.listing(self._cluster, registry.by_kind(kind).storage_prefix(namespace or ""))
            self._listed[key] = [orjson.loads(stored.value) for stored in found[1]] if found else []
        return self._listed[key]

    def pod_at(self, address: str) -> Manifest | None:
        return self._pods_by_address.get(address)

    @cached_property
    def _pods_by_address(self) -> dict[str, Manifest]:
        return {address: pod for pod in self.list("Pod") for address in address_index(pod)}

    @cached_property
    def _table(self) -> rules.Table:
        return rules.compiled(self.list("Service"), self.list("EndpointSlice"))

    def table(self) -> rules.Table:
        return self._table

    # --- the physical world -------------------------------------------------------------------------------------

    @cached_property
    def _machines(self) -> dict[str, dict[str, Any]]:
        return self._reader.machines(self._id)

    def machine(self, node: str) -> dict[str, Any] | None:
        return self._machines.get(node)

    def machines(self) -> Iterable[tuple[str, dict[str, Any]]]:
        return self._machines.items()

    def records(self, uid: str) -> Records:
        return [each for each in self._reader.containers(self._id, uid) if "program" in each]

    @cached_property
    def _all_records(self) -> Records:
        return self._reader.all_containers(self._id)

    def all_records(self) -> Records:
        return self._all_records

    # --- the control plane --------------------------------------------------------------------------------------

    @cached_property
    def _agenda(self) -> dict[str, Any]:
        return self._reader.agenda(self._id)

    def agenda(self) -> dict[str, Any]:
        return self._agenda

    def control_plane(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return self._reader.control_plane(self._cluster)

    def history(self) -> History:
        return history(self._id, self._reader.rows)

    def stored(self) -> Iterable[tuple[str, str, int]]:
        for resource in self.served.stored_resources:
            number = self._reader.count(self._id, resource.storage_prefix())
            yield resource.group, resource.plural, number
