"""JSON Web Tokens of service accounts: made, read and checked.

Two sorts. Bound ones, from TokenRequest, say when they end and to which pod, secret or node they are bound; they end
with it. Old ones, in Secrets, live as long as the Secret does. Both are signed with ES256.

Source:   RFC 7515, 7517, 7519
Mirrors:  kubernetes/pkg/serviceaccount (claims.go, legacy.go, jwt.go, openidmetadata.go)
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from cluster.objects import Manifest, meta, users
from cluster.objects.users import User

ISSUER = "https://kubernetes.default.svc.cluster.local"
OLD_ISSUER = "kubernetes/serviceaccount"
OLD = "kubernetes.io/serviceaccount/"  # Prefix of an old token's claims.
LONGEST = 16_384  # Characters; ours have some 1,100.
KINDS = {"pod": "Pod", "secret": "Secret", "node": "Node"}
EXTRA = "authentication.kubernetes.io/"
Claims = dict[str, Any]
Find = Callable[[str, str, str], Manifest | None]  # (kind, namespace, name) -> the living object


class BadToken(Exception):
    """A token of ours that does not count any more; the message says why."""


# --- making -----------------------------------------------------------------------------------------------------


def bound_claims(
    account: Manifest, bound: Manifest | None, node: Manifest | None, audiences: list[str], now: int, seconds: int
) -> Claims:
    """The claims of a token of `account`, bound to the object `bound`. `now`: Unix seconds. Without its `jti`."""
    namespace = meta.namespace(account)
    private: dict[str, Any] = {"namespace": namespace}
    for obj in (node, bound):
        if obj is not None:
            private[obj["kind"].lower()] = {"name": meta.name(obj), "uid": meta.uid(obj)}
    private["serviceaccount"] = {"name": meta.name(account), "uid": meta.uid(account)}
    return {
        "aud": audiences,
        "exp": now + seconds,
        "iat": now,
        "iss": ISSUER,
        "kubernetes.io": private,
        "nbf": now,
        "sub": users.account_name(namespace, meta.name(account)),
    }


def old_claims(account: Manifest, secret: Manifest) -> Claims:
    """The claims of the token in a Secret of type kubernetes.io/service-account-token."""
    namespace, name = meta.namespace(account), meta.name(account)
    return {
        "iss": OLD_ISSUER,
        f"{OLD}namespace": namespace,
        f"{OLD}secret.name": meta.name(secret),
        f"{OLD}service-account.name": name,
        f"{OLD}service-account.uid": meta.uid(account),
        "sub": users.account_name(namespace, name),
    }


def signed(key: ec.EllipticCurvePrivateKey, claims: Claims) -> str:
    """The token: header, claims and signature. The same claims give the same token."""
    header = orjson.dumps({"alg": "ES256", "kid": key_id(key)})
    text = f"{_encoded(header)}.{_encoded(orjson.dumps(claims, option=orjson.OPT_SORT_KEYS))}"
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
    return f"{text}.{_encoded(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


@lru_cache(maxsize=256)
def key_id(key: ec.EllipticCurvePrivateKey) -> str:
    public = key.public_key()
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return _encoded(sha256(public.public_bytes(encoding, form)).digest())


def key_set(key: ec.EllipticCurvePrivateKey) -> Manifest:
    """The public key, as GET /openid/v1/jwks shows it."""
    numbers = key.public_key().public_numbers()
    point = {"x": _encoded(numbers.x.to_bytes(32, "big")), "y": _encoded(numbers.y.to_bytes(32, "big"))}
    return {"keys": [{"use": "sig", "kty": "EC", "kid": key_id(key), "crv": "P-256", "alg": "ES256", **point}]}


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


# --- checking ---------------------------------------------------------------------------------------------------


def claims_of(key: ec.EllipticCurvePrivateKey, token: str) -> Claims | None:
    """The claims of a token that this key has signed; None if it is somebody else's, or none at all."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > LONGEST:
        return None
    try:
        header, claims, signature = (urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
        read = orjson.loads(header)
        if not isinstance(read, dict) or read.get("alg") != "ES256" or len(signature) != 64:
            return None
        halves = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        text = f"{parts[0]}.{parts[1]}".encode()
        key.public_key().verify(encode_dss_signature(*halves), text, ec.ECDSA(hashes.SHA256()))
        found = orjson.loads(claims)
    except (binascii.Error, UnicodeEncodeError, InvalidSignature, ValueError):
        return None
    return found if isinstance(found, dict) else None


def user_of(claims: Claims, token: str, audiences: list[str], now: float, find: Find) -> tuple[User, list[str]]:
    """(user, those of `audiences` that it is for). `now`: Unix seconds. Errors: BadToken."""
    if claims.get("iss") == OLD_ISSUER:
        return _user_of_old(claims, token, find), [each for each in audiences if each == ISSUER]
    if now > claims["exp"] + 60:
        raise BadToken("service account token has expired")
    meant = [each for each in audiences if each in claims["aud"]]
    if not meant:
        raise BadToken(f"token audiences {claims['aud']} is invalid for the target audiences {audiences}")
    private = claims["kubernetes.io"]
    namespace, name = private["namespace"], private["serviceaccount"]["name"]
    _living(find, "ServiceAccount", namespace, private["serviceaccount"])
    for word, kind in KINDS.items():
        if word in private and (word != "node" or "pod" not in private):
            _living(find, kind, "" if kind == "Node" else namespace, private[word])
    extra = {f"{EXTRA}credential-id": (f"JTI={claims['jti']}",)} if "jti" in claims else {}
    for word in ("pod", "node"):
        if word in private:
            extra |= {f"{EXTRA}{word}-name": (private[word]["name"],), f"{EXTRA}{word}-uid": (private[word]["uid"],)}
    groups = (*users.account_groups(namespace), users.AUTHENTICATED)
    user = User(claims["sub"], groups, private["serviceaccount"]["uid"], tuple(sorted(extra.items())))
    return user._replace(name=users.account_name(namespace, name)), meant


def _living(find: Find, kind: str, namespace: str, reference: Manifest) -> None:
    """Errors: BadToken if the object is gone, or another one of the same name."""
    found = find(kind, namespace, reference["name"])
    if found is None:
        what = f"{kind.lower()}s" if kind != "ServiceAccount" else "serviceaccounts"
        raise BadToken(f'{what} "{reference["name"]}" not found')
    if meta.uid(found) != reference["uid"]:
        theirs = f"UID in token does not match UID in record: {reference['uid']} != {meta.uid(found)}"
        raise BadToken(f"service account {kind.lower()} {theirs}")


def _user_of_old(claims: Claims, token: str, find: Find) -> User:
    namespace, name = claims[f"{OLD}namespace"], claims[f"{OLD}service-account.name"]
    secret = find("Secret", namespace, claims[f"{OLD}secret.name"])
    data = (secret or {}).get("data") or {}
    if secret is None or meta.is_deleting(secret) or data.get("token") != _base64(token):
        raise BadToken("service account token has been invalidated")
    account = find("ServiceAccount", namespace, name)
    if account is None:
        raise BadToken(f'serviceaccounts "{name}" not found')
    if meta.uid(account) != claims[f"{OLD}service-account.uid"]:
        raise BadToken(f"service account UID ({meta.uid(account)}) does not match claim")
    uid = meta.uid(account)
    return User(claims["sub"], (*users.account_groups(namespace), users.AUTHENTICATED), uid)


def _base64(text: str) -> str:
    return binascii.b2a_base64(text.encode(), newline=False).decode()
