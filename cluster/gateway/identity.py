"""Who sends a request: a certificate, a token, nobody; and as whom, if the headers ask to be somebody else.

    https, client certificate     the common name, in the groups of its organisations
    Authorization: Bearer …       the service account that the token names, while it lives
    https, neither                system:anonymous
    http from this machine        the cluster's administrator, unless a header above says otherwise

Certificates are those of the installation's authority, by the wall's clock, or of the cluster's own, by the cluster's.
Tokens end by the wall's clock. What can't be read or does not count is 401, also on /healthz: who shows a wrong badge
is not let in as a stranger.

Mirrors:  k8s.io/apiserver/pkg/authentication/request, pkg/endpoints/filters/authentication.go
Left out: OIDC, webhooks, front proxies, bootstrap tokens, passwords; a static token file.
Read next: policy.py.
"""

import time
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from django.conf import settings

from cluster.apiserver.authorization.asked import asked
from cluster.apiserver.authorization.impersonation import impersonated, wanted
from cluster.gateway import lists, policy, pool
from cluster.gateway.http import Request
from cluster.objects import errors, users
from cluster.objects.credentials import certificates, keys, tokens
from cluster.objects.users import User

MINUTE = 60.0  # Wall seconds for which the verdict on a certificate is kept.


class ClusterKeys(NamedTuple):
    """A cluster's keys, and its clock: microseconds since 1970."""

    keys: keys.Keys
    unix: int


def keys_of(cluster: str) -> ClusterKeys:
    """Errors: NotFound (no such cluster)."""
    found = pool.reader().settings(cluster)
    if found is None:
        raise lists.NoSuchCluster(cluster)
    return ClusterKeys(keys.of_cluster(found.options, found.seed), found.unix)


async def identify(request: Request) -> User:
    """Who acts. Errors: Unauthorized, Forbidden (to be somebody else), BadRequest."""
    user = _authenticated(request)
    if not any(name.startswith(b"impersonate-") for name, _ in request.scope["headers"]):
        return user
    asked_for = wanted(request.header_values, list(request.headers))
    if asked_for is None:
        return user
    ask = asked(user, request.method, request.path, request.query_string)
    return impersonated((await policy.authorizer(request.cluster)).decide, ask, asked_for)


def _authenticated(request: Request) -> User:
    peer = (request.scope.get("extensions") or {}).get("tls") or {}
    if peer.get("certificate"):
        return _by_certificate(request.cluster, peer["certificate"])
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise errors.Unauthorized("Unauthorized")
        return _by_token(request.cluster, token.strip())
    return users.ANONYMOUS if request.is_secure else users.ADMIN


# --- certificates -------------------------------------------------------------------------------------------------


def _by_certificate(cluster: str, der: bytes) -> User:
    now = int(time.time() // MINUTE)
    user = _of_installation(der, now)
    if user is None:
        found = keys_of(cluster)
        user = _of_cluster(der, found.keys, int(found.unix // (MINUTE * 1_000_000)))
    if user is None:
        raise errors.Unauthorized("Unauthorized")
    return user


@lru_cache(maxsize=1024)
def _of_installation(der: bytes, minute: int) -> User | None:
    authority = _installation_authority()
    return None if authority is None else _user_of(der, authority, datetime.fromtimestamp(minute * MINUTE, UTC))


@lru_cache(maxsize=1024)
def _of_cluster(der: bytes, own: keys.Keys, minute: int) -> User | None:
    return _user_of(der, certificates.authority(own.authority), datetime.fromtimestamp(minute * MINUTE, UTC))


def _user_of(der: bytes, authority: x509.Certificate, now: datetime) -> User | None:
    try:
        return certificates.user_of(der, [(authority, now)])
    except certificates.BadCertificate:
        return None


def _installation_authority() -> x509.Certificate | None:
    """The authority that signed kubectl's own certificate; None where no https is served."""
    path = Path(settings.HOME) / "tls" / "ca.crt"
    return x509.load_pem_x509_certificate(path.read_bytes()) if path.exists() else None


# --- tokens -------------------------------------------------------------------------------------------------------


def _by_token(cluster: str, token: str) -> User:
    try:
        found = review(cluster, token, [tokens.ISSUER])
    except tokens.BadToken:
        found = None
    if found is None:
        raise errors.Unauthorized("Unauthorized")
    return found[0]


def review(cluster: str, token: str, audiences: list[str]) -> tuple[User, list[str]] | None:
    """(whose token, which audiences it is for); None: it is none of ours. Errors: BadToken, NotFound (no cluster)."""
    claims = tokens.claims_of(keys_of(cluster).keys.tokens, token)
    if claims is None:
        return None
    return tokens.user_of(claims, token, audiences, time.time(), policy.Committed(cluster).get)
