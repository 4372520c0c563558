"""GET of what a server behind this one answers for: `kubectl top`, computed from committed rows.

Mirrors:  k8s.io/kube-aggregator/pkg/apiserver/handler_proxy.go; kubernetes-sigs/metrics-server/pkg/api
Left out: passing requests on to programs outside of Orrery; watches, which metrics-server has none of either.
"""

from functools import cached_property
from typing import Any

import orjson

from cluster import backends
from cluster.apiserver import registry, table
from cluster.apiserver.aggregation import ServiceUnavailable
from cluster.apiserver.negotiate import Format, encode
from cluster.apiserver.reads import Reader, Snapshot
from cluster.apiserver.registry import Resource
from cluster.apiserver.target import Target
from cluster.gateway import lists, pool
from cluster.gateway import options as list_options
from cluster.gateway.http import Reply, Request, plain
from cluster.objects import Manifest, errors

Records = list[dict[str, Any]]


async def answer(request: Request, resource: Resource, target: Target, watching: bool) -> Reply:
    """Errors: MethodNotAllowed, NotFound, BadRequest. Nobody answers: 503 in plain text, as the real one's."""
    if request.method != "GET" or watching:
        raise errors.MethodNotAllowed()
    if resource.namespaced and target.name and not target.namespace:
        raise errors.PathNotFound()
    form = request.form()
    include = request.query("includeObject")
    if form.transform == "Table":
        table.check_include(include)
    selection = list_options.parse(request, resource, watch=False).selection
    try:
        return await pool.in_thread(_answer, request, resource, target, form, include, selection)
    except ServiceUnavailable as error:
        return plain(error.status, f"{error.shown}\n")


def _answer(
    reader: Reader, request: Request, resource: Resource, target: Target, form: Format, include: str,
    selection: list_options.Selection,
) -> Reply:  # fmt: skip
    snapshot = reader.cluster(request.cluster)
    if snapshot is None:
        raise lists.NoSuchCluster(request.cluster)
    site = Site(reader, request.cluster, snapshot)
    found = backends.metrics(site, target.plural, target.namespace, target.name)
    if target.name:
        named = (resource.group, resource.kind)
        asked = lists.as_asked(request, form, *named, found[0], snapshot.unix, resource.printer)
        return Reply(200, form.media, encode(form, asked))
    chosen = [each for each in found if selection.matches(each)]
    return lists.listed(resource, chosen, snapshot.unix, {}, include, form)


class Site:
    """Committed rows as `backends` asks for them."""

    def __init__(self, reader: Reader, cluster: str, snapshot: Snapshot) -> None:
        self._reader, self._cluster, self._id = reader, cluster, snapshot.id
        self.epoch, self.now = snapshot.epoch, snapshot.sim_now
        self._machines: dict[str, dict[str, Any] | None] = {}

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        found = self._reader.get(self._cluster, registry.by_kind(kind).storage_key(namespace, name))
        return orjson.loads(found[1]) if found is not None and found[1] is not None else None

    def list(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        found = self._reader.listing(self._cluster, registry.by_kind(kind).storage_prefix(namespace or ""))
        return [orjson.loads(stored.value) for stored in found[1]] if found else []

    def machine(self, node: str) -> dict[str, Any] | None:
        if node not in self._machines:
            self._machines[node] = self._reader.machine(self._id, node)
        return self._machines[node]

    def records(self, uid: str) -> Records:
        return [each for each in self._reader.containers(self._id, uid) if "program" in each]

    @cached_property
    def _all(self) -> Records:
        return self._reader.all_containers(self._id)

    def all_records(self) -> Records:
        return self._all
