"""Commands about the server: who asks, settings, information, replication, transactions."""

import orjson
import re2

from cluster.runtime import noise
from cluster.runtime.live.servers.redis.replies import EMPTY, NOT_INTEGER, OK, bulk, integer, several
from cluster.runtime.live.servers.redis.server import DEFAULTS, SECOND, Command, Redis, bytes_of

# --- the server itself ------------------------------------------------------------------------------------------


def _auth(redis: Redis, args: list[str]) -> str:
    secret = redis.config["requirepass"]
    if not secret:
        return (
            "-ERR AUTH <password> called without any password configured for the default user. Are you sure your"
            " configuration is correct?\r\n"
        )
    if args[-1] != secret or (len(args) == 2 and args[0] != "default"):
        return "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
    redis.authenticated = True
    return OK


def _select(redis: Redis, args: list[str]) -> str:
    if not args[0].isdecimal():
        return NOT_INTEGER
    if int(args[0][:4]) >= int(redis.config["databases"]):
        return "-ERR DB index is out of range\r\n"
    redis.database = args[0]
    return OK


def _config(redis: Redis, args: list[str]) -> str:
    what = args[0].upper()
    if what == "GET" and len(args) > 1:
        names = [name for name in redis.config if any(re2.fullmatch(re2.escape(one.lower()).replace(r"\*", ".*"), name)
                                                      for one in args[1:])]  # fmt: skip
        size = {"maxmemory"}
        values = {name: bytes_of(redis.config[name]) if name in size else redis.config[name] for name in sorted(names)}
        return several([word for pair in values.items() for word in pair])
    if what == "SET" and len(args) == 3:
        if args[1].lower() not in DEFAULTS:
            return f"-ERR Unknown option or number of arguments for CONFIG SET - '{args[1]}'\r\n"
        redis.config[args[1].lower()] = args[2]
        if args[1].lower() == "appendonly" and args[2] == "yes":
            redis.write(redis.append_only_path)
        return OK
    if what in ("REWRITE", "RESETSTAT"):
        return "-ERR The server is running without a config file\r\n" if what == "REWRITE" else OK
    return f"-ERR unknown subcommand '{args[0][:128]}'. Try CONFIG HELP.\r\n"


def _info(redis: Redis, args: list[str]) -> str:
    sections = {
        "server": {
            "redis_version": redis.place.version, "redis_mode": "standalone", "os": "Linux 6.12.41-orrery x86_64",
            "tcp_port": redis.config["port"], "run_id": noise.hexadecimal(40, redis.place.seed),
        },
        "clients": {"connected_clients": "1", "maxclients": redis.config["maxclients"]},
        "memory": {
            "used_memory": str(900_000 + len(orjson.dumps(redis.memory.get("db", {})))),
            "maxmemory": bytes_of(redis.config["maxmemory"]), "maxmemory_policy": redis.config["maxmemory-policy"],
        },
        "persistence": {
            "loading": "0", "rdb_changes_since_last_save": str(redis.memory.get("dirty", 0)),
            "aof_enabled": str(int(redis.config["appendonly"] == "yes")),
        },
        "replication": _replication(redis),
        "keyspace": {
            f"db{name}": f"keys={len(keys)},expires={sum(1 for one in keys.values() if one[2] is not None)},avg_ttl=0"
            for name, keys in sorted(redis.memory.get("db", {}).items())
            if keys
        },
    }  # fmt: skip
    wanted = [word.lower() for word in args if word.lower() in sections]
    wanted = wanted or ([] if args and args[0].lower() not in ("all", "everything", "default") else list(sections))
    parts = []
    for name in wanted:
        lines = "".join(f"{one}:{value}\r\n" for one, value in sections[name].items())
        parts.append(f"# {name.capitalize()}\r\n{lines}")
    return bulk("\r\n".join(parts))


def _replication(redis: Redis) -> dict[str, str]:
    offset = str(redis.memory.get("offset", 0))
    if redis.memory.get("master"):
        host, port = redis.memory["master"]
        return {
            "role": "slave", "master_host": host, "master_port": str(port),
            "master_link_status": redis.memory.get("link", "down"), "master_last_io_seconds_ago": "1",
            "master_sync_in_progress": "0", "slave_repl_offset": offset, "slave_priority": "100",
            "slave_read_only": "1",
            "connected_slaves": "0", "master_replid": noise.hexadecimal(40, redis.place.seed),
            "master_repl_offset": offset,
        }  # fmt: skip
    there = redis.followers()
    lines = {f"slave{n}": f"ip={one},port=6379,state=online,offset={offset},lag=0" for n, one in enumerate(there)}
    return {
        "role": "master", "connected_slaves": str(len(there)), **lines, "master_failover_state": "no-failover",
        "master_replid": noise.hexadecimal(40, redis.place.seed), "master_repl_offset": offset,
    }  # fmt: skip


def _role(redis: Redis, args: list[str]) -> str:
    if redis.memory.get("master"):
        host, port = redis.memory["master"]
        state = "connected" if redis.memory.get("link") == "up" else "connect"
        offset = integer(redis.memory.get("offset", 0))
        return "*5\r\n" + bulk("slave") + bulk(host) + integer(int(port)) + bulk(state) + offset
    there = redis.followers()
    found = "".join(several([one, "6379", str(redis.memory.get("offset", 0))]) for one in there)
    return "*3\r\n" + bulk("master") + integer(redis.memory.get("offset", 0)) + f"*{len(there)}\r\n{found}"


def _replicaof(redis: Redis, args: list[str]) -> str:
    if [word.upper() for word in args] == ["NO", "ONE"]:
        redis.memory.pop("master", None)
        return OK
    if not args[1].isdecimal() or not 0 < int(args[1][:6]) < 65536:
        return "-ERR Invalid master port\r\n"
    redis.memory["master"] = [args[0], int(args[1])]
    redis.fetch()
    return OK


def _psync(redis: Redis, args: list[str]) -> str:
    """A follower wants everything, and to hear of every change."""
    followers = redis.memory.get("slaves") or {}
    if redis.place.client not in followers and redis.place.client != "127.0.0.1":
        redis.memory["slaves"] = {**followers, redis.place.client: True}
    found = {"db": redis.memory.get("db", {}), "offset": redis.memory.get("offset", 0), "token": redis.token}
    return bulk(orjson.dumps(found).decode("latin-1"))


def _pushed(redis: Redis, args: list[str]) -> str:
    """The leader has changed."""
    if not redis.memory.get("master") or args[0] != redis.memory.get("token"):
        return "-ERR unknown command 'REPLPUSH'\r\n"
    redis.memory |= orjson.loads(args[1].encode("latin-1"))
    redis.memory["link"] = "up"
    if redis.config["appendonly"] == "yes":
        redis.write(redis.append_only_path)
    return OK


def _save(redis: Redis, args: list[str]) -> str:
    return OK if redis.save() else "-ERR\r\n"


def _multi(redis: Redis, args: list[str]) -> str:
    if redis.queue is not None:
        return "-ERR MULTI calls can not be nested\r\n"
    redis.queue = []
    return OK


def _exec(redis: Redis, args: list[str]) -> str:
    queue, redis.queue = redis.queue, None
    if queue is None:
        return "-ERR EXEC without MULTI\r\n"
    return f"*{len(queue)}\r\n" + "".join(redis.reply(words) for words in queue)


def _discard(redis: Redis, args: list[str]) -> str:
    if redis.queue is None:
        return "-ERR DISCARD without MULTI\r\n"
    redis.queue = None
    return OK


def _time(redis: Redis, args: list[str]) -> str:
    return several([str(int(redis.place.now.timestamp())), str(redis.place.now.microsecond)])


ADMIN: dict[str, Command] = {
    "AUTH": Command(_auth, 1, 2),
    "SELECT": Command(_select, 1, 1),
    "CONFIG": Command(_config, 1),
    "INFO": Command(_info, 0),
    "ROLE": Command(_role, 0, 0),
    "REPLICAOF": Command(_replicaof, 2, 2),
    "SLAVEOF": Command(_replicaof, 2, 2),
    "PSYNC": Command(_psync, 2, 2),
    "REPLPUSH": Command(_pushed, 2, 2),
    "SAVE": Command(_save, 0, 0),
    "BGSAVE": Command(lambda redis, args: "+Background saving started\r\n" if redis.save() else "-ERR\r\n", 0, 1),
    "LASTSAVE": Command(lambda redis, args: integer(int(redis.memory.get("saved", 0)) // SECOND), 0, 0),
    "MULTI": Command(_multi, 0, 0),
    "EXEC": Command(_exec, 0, 0),
    "DISCARD": Command(_discard, 0, 0),
    "TIME": Command(_time, 0, 0),
    "PUBLISH": Command(lambda redis, args: integer(0), 2, 2),
    "COMMAND": Command(lambda redis, args: EMPTY, 0),
    "CLIENT": Command(lambda redis, args: OK, 1),
    "HELLO": Command(lambda redis, args: "-ERR unknown command 'HELLO'\r\n", 0),
}  # fmt: skip
