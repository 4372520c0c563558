"""How others check our service accounts' tokens: the issuer, and the public key that it signs with.

Mirrors:  kubernetes/pkg/serviceaccount/openidmetadata.go
"""

import orjson

from cluster.apiserver.discovery import SERVER_ADDRESS
from cluster.gateway import identity
from cluster.gateway.http import Reply
from cluster.objects.credentials import tokens

CONFIGURATION, KEYS = ".well-known/openid-configuration", "openid/v1/jwks"
_CACHE = (("Cache-Control", "public, max-age=3600"),)


def answer(cluster: str, path: str) -> Reply | None:
    """The document at `path` (without its first slash); None if it is not one of these. Errors: NotFound."""
    if path == KEYS:
        content = tokens.key_set(identity.keys_of(cluster).keys.tokens)
        return Reply(200, "application/jwk-set+json", orjson.dumps(content), _CACHE)
    if path != CONFIGURATION:
        return None
    content = {
        "issuer": tokens.ISSUER,
        "jwks_uri": f"https://{SERVER_ADDRESS}/{KEYS}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }
    return Reply(200, "application/json", orjson.dumps(content), _CACHE)
