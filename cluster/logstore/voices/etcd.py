"""etcd's members: elections, and that one serves again.

Mirrors:  etcd 3.6: raft/raft.go, server/embed/serve.go
"""

from collections.abc import Iterator, Mapping
from typing import Any

from cluster.logstore.voices.saying import Said
from cluster.processes import HOST

COMPONENT = "etcd"


def machine_of(member: str) -> str:
    """The machine of a member: they run where the other processes do.

    >>> machine_of("etcd-0"), machine_of("etcd-2")
    ('control-plane', 'control-plane-3')
    """
    number = member.rpartition("-")[2]
    return HOST if not number.isdecimal() or number == "0" else f"{HOST}-{int(number) + 1}"


def elected(kind: str, subject: str, body: Mapping[str, Any]) -> Iterator[Said]:
    """`body`: {term, id}: of the member that won."""
    name, term = body.get("id") or subject, body["term"]
    yield Said(
        "etcdserver/zap_raft.go:77", f"{name} became leader at term {term}", {}, component=COMPONENT, node=subject
    )
    text = f"raft.node: {name} elected leader {name} at term {term}"
    yield Said("etcdserver/zap_raft.go:77", text, {}, component=COMPONENT, node=subject)


def started(kind: str, subject: str, body: Mapping[str, Any]) -> Iterator[Said]:
    said = Said("embed/serve.go:124", "ready to serve client requests", {}, component=COMPONENT, node=subject)
    yield Said("embed/etcd.go:140", "configuring peer listeners", {}, component=COMPONENT, node=subject)
    yield said
