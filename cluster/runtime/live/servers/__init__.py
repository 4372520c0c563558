"""Servers that remember: what they answer, how they start with what is on their disk, and what they leave there.

    place.py     what a server sees of its container: files, variables, time, memory, the network
    wire.py      how clients in other containers talk to them
    starts.py    data directories: made, or found
    sql/         mysql, mariadb, postgres
    redis/       redis
    mongo.py     mongo
    sites.py     wordpress, the guestbook: web sites on top of them

The programs' logs are functions of time (programs/); here is what happens when somebody asks. State is in files of the
container's disks and in the memory of its process, both plain data in cells.

Read next: place.py, then sql/__init__.py.
"""

from collections.abc import Callable
from typing import Any

from cluster.runtime.live.answers import Answer
from cluster.runtime.live.servers import mongo, redis, starts, wire
from cluster.runtime.live.servers.place import Place
from cluster.runtime.live.servers.sql import server as sql
from cluster.runtime.live.servers.sql.errors import MYSQL, POSTGRES
from cluster.runtime.programs.databases import postgres_data

Serve = Callable[[Place, int, str], Answer | None]


def _mysql(place: Place, port: int, given: str) -> Answer | None:
    asked = wire.asked(given)
    if asked is None:
        return None
    return Answer(wire.said(sql.answer(place, MYSQL, starts.mysql_data(place), asked)), len(given), True)


def _postgres(place: Place, port: int, given: str) -> Answer | None:
    asked = wire.asked(given)
    if asked is None:
        return None
    return Answer(
        wire.said(sql.answer(place, POSTGRES, postgres_data(place.version, place.env), asked)), len(given), True
    )


SERVERS: dict[str, Serve] = {
    "mysql": _mysql,
    "mariadb": _mysql,
    "postgres": _postgres,
    "redis": redis.serve,
    "mongo": mongo.serve,
}
STARTS: dict[str, Callable[[Place], dict[str, Any]]] = {**starts.STARTS, "redis": redis.start, "mongo": mongo.start}
LAST_DEEDS: dict[str, Callable[[Place, bool], None]] = {"redis": redis.end}  # (place, was it asked to end?)
