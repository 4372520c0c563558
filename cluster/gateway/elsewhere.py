"""GET of what a server behind this one answers for: `kubectl top`, computed from committed rows.

Mirrors:  k8s.io/kube-aggregator/pkg/apiserver/handler_proxy.go; kubernetes-sigs/metrics-server/pkg/api
Left out: passing requests on to programs outside of Orrery; watches, which metrics-server has none of either.
"""

from cluster import backends
from cluster.apiserver import table
from cluster.apiserver.aggregation import ServiceUnavailable
from cluster.apiserver.negotiate import Format, encode
from cluster.apiserver.reads import Reader
from cluster.apiserver.registry import Resource
from cluster.apiserver.target import Target
from cluster.gateway import lists, pool
from cluster.gateway import options as list_options
from cluster.gateway.http import Reply, Request, plain
from cluster.gateway.site import Site
from cluster.objects import errors


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
