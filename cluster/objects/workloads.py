"""Workloads: Deployments, ReplicaSets and their templates."""

from hashlib import blake2b

import orjson

from cluster.objects import Manifest
from cluster.objects.memo import IdentityMemo

_SAFE = "bcdfghjklmnpqrstvwxz2456789"
_memo = IdentityMemo(256)


def template_hash(template: Manifest, collisions: int = 0) -> str:
    """Ten characters that name a pod template: `699d5d97ff`. Our own hash: the real one hashes a dump of Go structs."""
    return str(_memo.get(template, collisions, lambda t: _hash(t, collisions)))


def _hash(template: Manifest, collisions: int) -> str:
    digest = blake2b(orjson.dumps(template, option=orjson.OPT_SORT_KEYS) + str(collisions).encode(), digest_size=4)
    number = int.from_bytes(digest.digest(), "big")
    digits = str(number)[:10]
    return "".join(_SAFE[int(digit) % len(_SAFE)] if n % 3 == 2 else _hex(int(digit)) for n, digit in enumerate(digits))


def _hex(digit: int) -> str:
    return "456789bcdf"[digit]


def replicas(workload: Manifest) -> int:
    return int(workload["spec"].get("replicas", 1))


def selector(workload: Manifest) -> Manifest:
    return workload["spec"].get("selector") or {}
