"""redis: keys in memory, snapshots and append-only files on disk, replicas.

    server.py   one exchange; what is kept, on disk and at followers         keys.py   commands about keys
    admin.py    AUTH, CONFIG, INFO, REPLICAOF, MULTI …                       replies.py   the protocol

    memory      {"db": {"0": {key: [type, value, expires or null]}}, "config", "dirty", "saved", "master", "slaves" …}
    on disk     <dir>/dump.rdb at save points, SAVE and a shutdown that was asked for; with appendonly yes after each
                write <dir>/appendonlydir/appendonly.aof.1.base.rdb. JSON inside.
    replicas    fetch everything from their leader when they start and whenever they are asked, and the leader sends it
                after each write to those that it knows: what a follower had seen stays when its leader dies

Values: string; list; hash {field: value}; set [members]; zset {member: score}. Text of bytes (latin-1).

Mirrors:  redis-server 8 (t_string.c, t_list.c … and their replies), redis.conf
Left out: streams, scripts, subscriptions, eviction by maxmemory, clusters, ACLs, what a connection over port-forward
          has set with AUTH, SELECT or MULTI; a follower that started before its leader and was never asked knows
          nothing.
Limits:   1 MiB of keys and values; then OOM.
"""

from typing import Any

from cluster.runtime.live.answers import Answer
from cluster.runtime.live.servers.place import Place
from cluster.runtime.live.servers.redis.admin import ADMIN
from cluster.runtime.live.servers.redis.keys import KEYS
from cluster.runtime.live.servers.redis.replies import request
from cluster.runtime.live.servers.redis.server import Command, Redis, save_points

__all__ = ["COMMANDS", "end", "request", "serve", "start"]
COMMANDS: dict[str, Command] = {**KEYS, **ADMIN}


def serve(place: Place, port: int, given: str) -> Answer:
    return Redis(place, COMMANDS).serve(given)


def start(place: Place) -> dict[str, Any]:
    """Read what is on the disk, and whose follower it is."""
    redis = Redis(place, COMMANDS)
    redis.memory |= {"saved": place.at, "dirty": 0, "db": {}}
    found = redis.load()
    master = redis.config["replicaof"].split()
    if master and place.env.get("GET_HOSTS_FROM") == "env":  # As the image of the guestbook's followers does.
        master[0] = place.env.get("REDIS_LEADER_SERVICE_HOST") or master[0]
    if len(master) == 2 and master[1].isdecimal():
        redis.memory["master"] = [master[0], int(master[1])]
        redis.fetch()
    count = sum(len(keys) for keys in redis.memory["db"].values())
    facts: dict[str, Any] = {"from": found, "keys": count} if found else {}
    if redis.memory.get("master"):
        facts |= {"master": redis.memory["master"], "link": redis.memory["link"]}
    if save_points(redis.config):
        facts["saves"] = True
    return facts


def end(place: Place, asked: bool) -> None:
    """A shutdown saves, if there are save points; a crash leaves what was saved before."""
    redis = Redis(place, COMMANDS)
    if asked and save_points(redis.config):
        redis.save()
    else:
        redis.save_if_due()
