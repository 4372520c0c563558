"""The private keys of a cluster: one signs service accounts' tokens, one is its authority for client certificates.

Both are made of one secret among the cluster's options, which is an input like its seed: a cluster that is lived again
has the same keys. A cluster without a secret (in tests, or from before there were any) makes them of its seed.

Mirrors:  kubeadm's /etc/kubernetes/pki/sa.key and ca.key, made by a function instead of by chance
"""

from functools import lru_cache
from hashlib import sha512
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

OPTION = "signing_secret"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # Of P-256: private keys are below it.


class Keys(NamedTuple):
    tokens: ec.EllipticCurvePrivateKey
    authority: ec.EllipticCurvePrivateKey


def of_cluster(options: dict[str, Any], seed: int) -> Keys:
    return of_secret(str(options.get(OPTION) or f"seed {seed}"))


@lru_cache(maxsize=256)
def of_secret(secret: str) -> Keys:
    return Keys(_key(secret, "tokens"), _key(secret, "authority"))


def _key(secret: str, purpose: str) -> ec.EllipticCurvePrivateKey:
    digest = sha512(f"{purpose}\x1f{secret}".encode()).digest()
    return ec.derive_private_key(1 + int.from_bytes(digest, "big") % (_ORDER - 1), ec.SECP256R1())
