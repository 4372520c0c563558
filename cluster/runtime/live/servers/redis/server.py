"""One exchange with a redis server: its commands, its keys, its disk, its followers."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import orjson

from cluster.runtime import noise
from cluster.runtime.live.answers import Answer
from cluster.runtime.live.files import FileError
from cluster.runtime.live.servers.place import CONNECTED, Place
from cluster.runtime.live.servers.redis.replies import OK, READ_ONLY, WRONG_TYPE, Refused, command, request

MOST_BYTES = 1024 * 1024
SECOND = 1_000_000
DEFAULTS = {
    "port": "6379", "save": "3600 1 300 100 60 10000", "appendonly": "no", "dir": "/data", "requirepass": "",
    "masterauth": "", "maxmemory": "0", "maxmemory-policy": "noeviction", "databases": "16", "dbfilename": "dump.rdb",
    "replicaof": "", "bind": "* -::*", "protected-mode": "no", "appendfsync": "everysec", "timeout": "0",
    "maxclients": "10000", "loglevel": "notice", "tcp-keepalive": "300",
}  # fmt: skip


class Command(NamedTuple):
    """`least`, `most`: how many arguments (-1: any number); `writes`: replicas refuse it."""

    do: Callable[["Redis", list[str]], str]
    least: int
    most: int = -1
    writes: bool = False


class Redis:
    """One exchange with a server. State is in `place.memory`."""

    def __init__(self, place: Place, commands: Mapping[str, Command]) -> None:
        self.place, self.memory, self.commands = place, place.memory, commands
        self.config: dict[str, str] = self.memory.setdefault("config", configured(place))
        self.database, self.authenticated = "0", not self.config["requirepass"]
        self.queue: list[list[str]] | None = None

    def serve(self, given: str) -> Answer:
        """All commands that are whole."""
        self.save_if_due()
        out: list[str] = []
        taken, fetched = 0, False
        while True:
            words, size = command(given[taken:])
            if size == 0:
                return Answer("".join(out), taken)
            taken += size
            if not words:
                continue
            name = words[0].upper()
            if name == "QUIT":
                return Answer("".join([*out, OK]), taken, True)
            if self.memory.get("master") and not fetched and name not in ("AUTH", "REPLPUSH"):
                self.fetch()
                fetched = True
            out.append(self.reply(words))

    def reply(self, words: list[str]) -> str:
        name, args = words[0].upper(), words[1:]
        found = self.commands.get(name)
        if not self.authenticated and name not in ("AUTH", "HELLO", "REPLPUSH"):
            return "-NOAUTH Authentication required.\r\n"
        if found is None:
            shown = "".join(f"'{word[:128]}' " for word in args[:20])
            return f"-ERR unknown command '{words[0][:128]}', with args beginning with: {shown}\r\n"
        if len(args) < found.least or (found.most >= 0 and len(args) > found.most):
            return f"-ERR wrong number of arguments for '{words[0].lower()}' command\r\n"
        if self.queue is not None and name not in ("EXEC", "DISCARD", "MULTI"):
            self.queue.append(words)
            return "+QUEUED\r\n"
        return self.executed(found, args)

    def executed(self, found: Command, args: list[str]) -> str:
        if found.writes and self.memory.get("master"):
            return READ_ONLY
        try:
            if found.writes and len(orjson.dumps(self.memory["db"])) + sum(map(len, args)) > MOST_BYTES:
                raise Refused("-OOM command not allowed when used memory > 'maxmemory'.\r\n")
            answer = found.do(self, args)
        except Refused as refused:
            return str(refused)
        if found.writes and not answer.startswith("-"):
            self.changed()
        return answer

    # --- keys -----------------------------------------------------------------------------------------------

    @property
    def keys(self) -> dict[str, list[Any]]:
        """Of the selected database, without what has expired."""
        databases = self.memory.setdefault("db", {})
        keys: dict[str, list[Any]] = databases.setdefault(self.database, {})
        for name in [name for name, one in keys.items() if one[2] is not None and one[2] <= self.place.at]:
            del keys[name]
        return keys

    def value(self, key: str, kind: str) -> Any:
        """None: no such key. Errors: Refused if it is of another kind."""
        found = self.keys.get(key)
        if found is None:
            return None
        if found[0] != kind:
            raise Refused(WRONG_TYPE)
        return found[1]

    def put(self, key: str, kind: str, value: Any, expires: int | None = None, keep: bool = False) -> None:
        """`keep`: it expires when it did before. An empty collection is no key at all."""
        before = self.keys.get(key)
        if keep and before is not None:
            expires = before[2]
        if value == [] or value == {}:
            self.keys.pop(key, None)
        else:
            self.keys[key] = [kind, value, expires]

    # --- disk -----------------------------------------------------------------------------------------------

    def changed(self) -> None:
        self.memory["dirty"] = int(self.memory.get("dirty", 0)) + 1
        self.memory["offset"] = int(self.memory.get("offset", 0)) + 40
        if self.config["appendonly"] == "yes":
            self.write(self.append_only_path)
        self.send_to_followers()

    @property
    def append_only_path(self) -> str:
        return f"{self.config['dir'].rstrip('/')}/appendonlydir/appendonly.aof.1.base.rdb"

    @property
    def snapshot_path(self) -> str:
        return f"{self.config['dir'].rstrip('/')}/{self.config['dbfilename']}"

    def write(self, path: str) -> bool:
        """False: the disk is full, or can't be written."""
        self.keys  # noqa: B018 (what has expired goes)
        content = "REDIS0012" + orjson.dumps(self.memory.get("db", {})).decode("latin-1")
        try:
            self.place.files.mkdir(path.rpartition("/")[0], parents=True)
            self.place.files.write(path, content)
        except FileError:
            return False
        return True

    def save(self) -> bool:
        if not self.write(self.snapshot_path):
            return False
        self.memory |= {"dirty": 0, "saved": self.place.at}
        return True

    def save_if_due(self) -> None:
        """A save point's time has come since somebody looked last."""
        since, dirty = self.place.at - int(self.memory.get("saved", 0)), int(self.memory.get("dirty", 0))
        if any(dirty >= changes and since >= seconds * SECOND for seconds, changes in save_points(self.config)):
            self.save()

    def load(self) -> str:
        """What is on the disk: aof, rdb, or "" for nothing."""
        appends = self.config["appendonly"] == "yes"
        try:
            content = self.place.files.read(self.append_only_path if appends else self.snapshot_path)
            self.memory["db"] = orjson.loads(content.removeprefix("REDIS0012").encode("latin-1"))
        except (FileError, orjson.JSONDecodeError):
            return ""
        return "aof" if appends else "rdb"

    # --- replication ----------------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Ask the leader for everything."""
        host, port = self.memory["master"]
        secret = self.config["masterauth"]
        login = request("AUTH", secret) if secret else ""
        fate, _, answer = self.place.call(host, int(port), f"{login}{request('PSYNC', '?', '-1')}")
        found = _synced(answer) if fate == CONNECTED else None
        if found is None:
            self.memory["link"] = "down"
            return
        self.memory |= {"db": found["db"], "offset": found["offset"], "token": found["token"], "link": "up"}

    def send_to_followers(self) -> None:
        if not self.memory.get("slaves"):
            return
        known = {"db": self.memory.get("db", {}), "offset": self.memory.get("offset", 0)}
        data = orjson.dumps(known).decode("latin-1")
        for address in list(self.memory["slaves"]):
            self.place.call(address, 6379, request("REPLPUSH", self.token, data))

    @property
    def token(self) -> str:
        """By it a follower knows that it is its leader who sends."""
        return noise.hexadecimal(40, noise.mix(self.place.seed, 11))

    def followers(self) -> list[str]:
        """Addresses of those that are there."""
        known = self.memory.get("slaves") or {}
        alive = [address for address in known if self.place.call(address, 6379, "")[0] == CONNECTED]
        if len(alive) != len(known):
            self.memory["slaves"] = dict.fromkeys(alive, True)
        return alive


def _synced(answer: str) -> dict[str, Any] | None:
    """What a leader sent; None: it refused."""
    at = answer.find("$")
    size, _, text = answer[at + 1 :].partition("\r\n")
    if at < 0 or not size.isdecimal():
        return None
    found = orjson.loads(text[: int(size)].encode("latin-1"))
    return found if isinstance(found, dict) else None


# --- configuration ----------------------------------------------------------------------------------------------


def configured(place: Place) -> dict[str, str]:
    """Settings: of a file, if one is named, and of the command line."""
    config = dict(DEFAULTS)
    words = list(place.argv[1:])
    if words and not words[0].startswith("-"):
        try:
            lines = place.files.read(words.pop(0)).split("\n")
        except FileError:
            lines = []
        for line in lines:
            name, _, value = line.strip().partition(" ")
            if name and not name.startswith("#"):
                config[_setting(name)] = value.strip().strip('"')
    name = ""
    for word in words:
        if word.startswith("--"):
            name = _setting(word[2:])
            config[name] = ""
        elif name:
            config[name] = f"{config[name]} {word}".strip().strip('"')
    return config


def _setting(name: str) -> str:
    return {"slaveof": "replicaof"}.get(name.lower(), name.lower())


def save_points(config: dict[str, str]) -> list[tuple[int, int]]:
    """(seconds, changes)."""
    numbers = [int(word) for word in config["save"].split() if word.isdecimal() and len(word) < 10]
    return list(zip(numbers[::2], numbers[1::2], strict=False))


def bytes_of(text: str) -> str:
    """1mb as a number of bytes."""
    match = re.fullmatch(r"(\d{1,12})(b|kb?|mb?|gb?)?", text.lower())
    if match is None:
        return text
    unit = {"k": 1_000, "kb": 1024, "m": 10**6, "mb": 1 << 20, "g": 10**9, "gb": 1 << 30}.get(match[2] or "", 1)
    return str(int(match[1]) * unit)
