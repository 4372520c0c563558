"""What people do to etcd's members: stop and start one, cut it off and join it again, add and remove.

    {"type": "etcd", "op": "stop" | "start" | "cut" | "join" | "remove", "member": "etcd-1"}      {"op": "add"}

Read next: cluster/etcd/raft.py for what the others do then.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cluster.apiserver.quorum import MOST, SIZES
from cluster.objects import errors

if TYPE_CHECKING:
    from cluster.world import World

DEFAULT_SIZE = 3
UNHEALTHY = "etcdserver: unhealthy cluster: without a quorum no member joins or leaves"
Request = dict[str, Any]


def found(world: "World") -> None:
    """The members of a new cluster: `options["etcd"]` of them, 1, 3 or 5."""
    size = world.options.get("etcd", DEFAULT_SIZE)
    world.etcd.found(size if size in SIZES else DEFAULT_SIZE)


def etcd(world: "World", request: Request) -> dict[str, Any]:
    """Errors: BadRequest, NotFound, Conflict."""
    operation = str(request.get("op", ""))
    if operation not in OPERATIONS:
        raise errors.BadRequest(f"etcd's members can't {operation!r}; known: {', '.join(OPERATIONS)}")
    member = str(request.get("member", ""))
    names = world.etcd.group.names
    if operation != "add" and member not in names:
        raise errors.NotFound("", "members", member, f'member "{member}" not found; there are: {", ".join(names)}')
    member = OPERATIONS[operation](world, member)
    cause = world.happened(f"etcd-{operation}", member, world.agenda.causes, {"leader": world.etcd.group.leader()})
    return {"op": operation, "member": member, "writable": world.etcd.writable, "cause": cause}


def stop(world: "World", member: str) -> str:
    _refuse(not world.etcd.group.row(member)["on"], member, "is stopped already")
    world.etcd.stop_member(member)
    return member


def start(world: "World", member: str) -> str:
    _refuse(world.etcd.group.row(member)["on"], member, "is running")
    world.etcd.regain(member)
    return member


def cut(world: "World", member: str) -> str:
    row = world.etcd.group.row(member)
    _refuse(not row["on"], member, "is stopped: it has no links to cut")
    _refuse(row["side"] != 0, member, "is cut off already")
    world.etcd.cut(member)
    return member


def join(world: "World", member: str) -> str:
    row = world.etcd.group.row(member)
    _refuse(not row["on"] or row["side"] == 0, member, "is not cut off")
    world.etcd.regain(member)
    return member


def add(world: "World", member: str) -> str:
    """etcd's own rule: the group must be well before it grows."""
    group = world.etcd.group
    if not world.etcd.writable:
        raise errors.Conflict("", "members", "", UNHEALTHY)
    if len(group.names) >= MOST:
        raise errors.Conflict("", "members", "", f"there are {MOST} members already, which is the most")
    return world.etcd.add_member()


def remove(world: "World", member: str) -> str:
    group = world.etcd.group
    _refuse(len(group.names) == 1, member, "is the only member")
    if not world.etcd.writable:
        raise errors.Conflict("", "members", member, UNHEALTHY)
    world.etcd.remove_member(member)
    return member


def _refuse(wrong: bool, member: str, what: str) -> None:
    if wrong:
        raise errors.Conflict("", "members", member, f"{member} {what}")


OPERATIONS: dict[str, Callable[["World", str], str]] = {
    "stop": stop,
    "start": start,
    "cut": cut,
    "join": join,
    "add": add,
    "remove": remove,
}
INPUTS: dict[str, Callable[["World", Request], dict[str, Any]]] = {"etcd": etcd}
