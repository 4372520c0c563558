"""The gate: who is it, and may they? Every request passes here before anything else of it is looked at.

Reads, discovery, reviews, tokens and streams are authorised here, by committed rows. Writes are authorised inside the
world, by the state that they would change; only those that no kind of ours could take are refused here, since a
stranger must not learn from a 404 what there is.

Mirrors:  k8s.io/apiserver/pkg/endpoints/filters/authorization.go
"""

from cluster.apiserver import registry
from cluster.apiserver.authorization.asked import asked
from cluster.apiserver.target import parse
from cluster.gateway import flow, identity, kinds, policy
from cluster.gateway.http import Request

WRITES = ("POST", "PUT", "PATCH", "DELETE")
ANSWERED_HERE = ("exec", "attach", "portforward", "proxy", "token")  # Sub-resources that no world is asked about.
REVIEWS = ("authentication.k8s.io", "authorization.k8s.io")


async def admit(request: Request) -> None:
    """Set the request's user. Errors: Unauthorized, Forbidden, BadRequest."""
    request.user = user = await identity.identify(request)
    request.classified = await flow.headers(request)  # Also what is forbidden belongs somewhere.
    if user.is_master or (request.method in WRITES and await _is_for_the_world(request)):
        return
    ask = asked(user, request.method, request.path, request.query_string)
    (await policy.authorizer(request.cluster)).check(ask)


async def _is_for_the_world(request: Request) -> bool:
    target = parse(request.path)
    if target is None or target.subresource in ANSWERED_HERE or target.group in REVIEWS:
        return False
    if registry.by_path(target.group, target.version, target.plural) is not None:
        return True
    served = await kinds.of(request.cluster)
    return served.by_path(target.group, target.version, target.plural) is not None
