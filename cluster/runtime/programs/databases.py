"""mysql and postgres: how they start, refuse to start, and say that they are there.

    no password variable   the entry point's complaint, exit code 1
    else                   a data directory is made, a temporary server runs, then the real one listens (3306, 5432)

Mirrors:  docker-library/mysql and docker-library/postgres (docker-entrypoint.sh), mysqld 8.0 to 9.5, postgres 14 to 18
Left out: SQL (whoever connects is told so in the server's own form; `select 1` is answered, since probes ask it), names
          and passwords, options and configuration files, scripts of docker-entrypoint-initdb.d, the temporary server's
          socket. A data directory is always new: a second start on the same volume makes it again.
Read next: live/commands/databases.py for mysqladmin and pg_isready.
"""

import re

from cluster.runtime import noise
from cluster.runtime.programs.program import MIB, MILLISECOND, SECOND, Exit, Line, Program, ended

MYSQL_PASSWORDS = ("MYSQL_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD")
MYSQL_CHOICES = tuple(f"    - {name}" for name in MYSQL_PASSWORDS)
MYSQL_UNINITIALIZED = (
    "Database is uninitialized and password option is not specified",
    "    You need to specify one of the following as an environment variable:",
    *MYSQL_CHOICES,
)
MYSQL_ROOT_AGAIN = (
    'MYSQL_USER="root", MYSQL_USER and MYSQL_PASSWORD are for configuring a regular user and cannot be used for the'
    " root user",
    '    Remove MYSQL_USER="root" and use one of the following to control the root user password:',
    *MYSQL_CHOICES,
)
MYSQL_VERSIONS = {"latest": "9.5.0", "9": "9.5.0", "lts": "8.4.7", "8": "8.4.7", "8.4": "8.4.7", "8.0": "8.0.44"}
MYSQL_SOCKET = "/var/run/mysqld/mysqld.sock"
POSTGRES_UNINITIALIZED = (
    "Error: Database is uninitialized and superuser password is not specified.",
    "       You must specify POSTGRES_PASSWORD to a non-empty value for the",
    '       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".',
    "",
    '       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all',
    "       connections without a password. This is *not* recommended.",
    "",
    '       See PostgreSQL documentation about "trust":',
    "       https://www.postgresql.org/docs/current/auth-trust.html",
)
POSTGRES_VERSIONS = {"latest": "18.1", "18": "18.1", "17": "17.7", "16": "16.11", "15": "15.15", "14": "14.20"}
REFUSAL_TIME = 40 * MILLISECOND
SELECT = re.compile(r"\s*select\s+([0-9]{1,9})\s*;?\s*", re.IGNORECASE)
NOT_MODELLED = "orrery: this server is simulated and SQL is not modelled (only select NUMBER is)"
SSL_REQUEST = "\x00\x00\x00\x08\x04\xd2\x16\x2f"


class Database(Program):
    """What both have in common: a refusal, or a first boot of some seconds."""

    port = 0
    boot_time = (0, 0)  # Microseconds, at least and at most.

    def refusal(self) -> tuple[str, ...]:
        """Why the entry point does not start the server; nothing: it does."""
        raise NotImplementedError

    def exit(self) -> Exit | None:
        if self.refusal():
            return ended(self.process.started + REFUSAL_TIME, 1)
        return super().exit()

    def ports(self) -> tuple[int, ...]:
        return (self.port,)

    def listens_at(self) -> int:
        return self.process.started + noise.between(*self.boot_time, self.process.seed, 3)

    def given(self, name: str) -> bool:
        """Is the variable set, itself or by a file's name?"""
        return bool(self.process.env.get(name) or self.process.env.get(f"{name}_FILE"))

    def release(self, known: dict[str, str]) -> str:
        """By the image's tag: its own digits, or what they stand for."""
        tag = self.process.image.rpartition("/")[2].partition("@")[0].partition(":")[2].partition("-")[0] or "latest"
        return known.get(tag, tag if tag[:1].isdigit() else known["latest"])


class MySQL(Database):
    cpu, cpu_per_request, memory, stop_time = 6, 0.3, 380 * MIB, 900 * MILLISECOND
    port, boot_time = 3306, (7 * SECOND, 11 * SECOND)

    def refusal(self) -> tuple[str, ...]:
        if not any(self.given(name) for name in MYSQL_PASSWORDS):
            return MYSQL_UNINITIALIZED
        return MYSQL_ROOT_AGAIN if self.process.env.get("MYSQL_USER") == "root" else ()

    def speaks(self, port: int) -> str:
        return "mysql"

    def reply(self, port: int, given: str) -> tuple[str, bool]:
        """To a COM_QUERY for a constant: its row; to anything else: an error, as the first packet of a connection."""
        asked = SELECT.fullmatch(given[5:]) if given[4:5] == "\x03" else None
        if asked is None:
            return mysql_packet("\xff\x51\x04#HY000" + NOT_MODELLED), True  # 1105, ER_UNKNOWN_ERROR.
        return mysql_packet(chr(len(asked[1])) + asked[1]), True

    def at_start(self) -> list[Line]:
        version = self.release(MYSQL_VERSIONS)
        begun = self.process.started + 15 * MILLISECOND
        said = [
            self._note(begun, f"Entrypoint script for MySQL Server {version}-1.el9 started."),
            self._note(begun + 40, "Switching to dedicated user 'mysql'"),
            self._note(begun + 80, f"Entrypoint script for MySQL Server {version}-1.el9 started."),
        ]
        if refusal := self.refusal():
            first = self._note(begun + 120, refusal[0], "ERROR")
            return [*said, first, *(Line(first.at, "stderr", text) for text in refusal[1:])]
        ready, took = self.listens_at(), self.listens_at() - begun
        at = [begun + took * share // 100 for share in (1, 3, 50, 52, 54, 68, 70, 88, 90)]
        return [
            *said,
            self._note(at[0], "Initializing database files"),
            *self._initialization(at[1], at[2], version),
            self._note(at[3], "Database files initialized"),
            self._note(at[3] + 40, "Starting temporary server"),
            *self._server(at[4], at[5], version, 0, 121),
            self._note(at[6], "Temporary server started."),
            Line(at[6] + 40, "stdout", f"'/var/lib/mysql/mysql.sock' -> '{MYSQL_SOCKET}'"),
            *self._wishes(at[6] + 80),
            self._note(at[6] + 900, "Stopping temporary server"),
            self._said(at[6] + 1_000, 11, "System", "013172", f"Received SHUTDOWN from user root. {_down(version)}"),
            self._said(at[7], 0, "System", "010910", _complete(version)),
            self._note(at[8], "Temporary server stopped"),
            Line(at[8] + 40, "stdout", ""),
            self._note(at[8] + 80, "MySQL init process done. Ready for start up."),
            Line(at[8] + 120, "stdout", ""),
            *self._server(at[8] + 30 * MILLISECOND, ready, version, self.port, 1),
        ]

    def _initialization(self, at: int, end: int, version: str) -> list[Line]:
        inner = (end - at) // 4
        return [
            self._said(at, 0, "System", "013169", f"/usr/sbin/mysqld (mysqld {version}) initializing of server in"
                       " progress as process 80"),
            self._said(at + 900, 1, "System", "013576", "InnoDB initialization has started.", "InnoDB"),
            self._said(at + inner, 1, "System", "013577", "InnoDB initialization has ended.", "InnoDB"),
            self._said(at + 2 * inner, 6, "Warning", "010453", "root@localhost is created with an empty password !"
                       " Please consider switching off the --initialize-insecure option."),
        ]  # fmt: skip

    def _server(self, at: int, ready: int, version: str, port: int, pid: int) -> list[Line]:
        """A start of mysqld that ends with `ready`. `port` 0: it hears its socket only."""
        inner = (ready - at) // 3
        listening = f"socket: '{MYSQL_SOCKET}'  port: {port}  MySQL Community Server - GPL."
        return [
            self._said(at, 0, "System", "010116", f"/usr/sbin/mysqld (mysqld {version}) starting as process {pid}"),
            self._said(at + 900, 1, "System", "013576", "InnoDB initialization has started.", "InnoDB"),
            self._said(at + 2 * inner, 1, "System", "013577", "InnoDB initialization has ended.", "InnoDB"),
            self._said(ready - 300, 0, "Warning", "010068", "CA certificate ca.pem is self signed."),
            self._said(ready - 200, 0, "System", "013602", "Channel mysql_main configured to support TLS. Encrypted"
                       " connections are now supported for this channel."),
            self._said(ready, 0, "System", "010931", f"/usr/sbin/mysqld: ready for connections. Version: '{version}'  "
                       + listening),
        ]  # fmt: skip

    def _wishes(self, at: int) -> list[Line]:
        """The database and the user that the environment asks for."""
        env, said = self.process.env, []
        if self.given("MYSQL_RANDOM_ROOT_PASSWORD"):
            said.append(f"GENERATED ROOT PASSWORD: {noise.hexadecimal(32, noise.mix(self.process.seed, 5))}")
        database, user = env.get("MYSQL_DATABASE"), env.get("MYSQL_USER")
        if database:
            said.append(f"Creating database {database}")
        if user and self.given("MYSQL_PASSWORD"):
            said.append(f"Creating user {user}")
            said += [f"Giving user {user} access to schema {database}"] if database else []
        return [self._note(at + 100 * n, text) for n, text in enumerate(said)]

    def at_stop(self) -> list[Line]:
        at, version = self.process.stopped or 0, self.release(MYSQL_VERSIONS)
        if self.refusal() or at < self.listens_at():
            return []
        return [
            self._said(at, 0, "System", "013172", f"Received SHUTDOWN from user <via user signal>. {_down(version)}"),
            self._said(at + 800 * MILLISECOND, 0, "System", "010910", _complete(version)),
        ]

    def _note(self, at: int, text: str, kind: str = "Note") -> Line:
        moment = f"{self.process.date(at):%Y-%m-%d %H:%M:%S}+00:00"
        return Line(at, "stderr" if kind == "ERROR" else "stdout", f"{moment} [{kind}] [Entrypoint]: {text}")

    def _said(self, at: int, thread: int, kind: str, code: str, text: str, part: str = "Server") -> Line:
        moment = f"{self.process.date(at):%Y-%m-%dT%H:%M:%S.%f}Z"
        return Line(at, "stderr", f"{moment} {thread} [{kind}] [MY-{code}] [{part}] {text}")


def _down(version: str) -> str:
    return f"Shutting down mysqld (Version: {version})."


def _complete(version: str) -> str:
    return f"/usr/sbin/mysqld: Shutdown complete (mysqld {version})  MySQL Community Server - GPL."


def mysql_packet(body: str) -> str:
    """One packet: three bytes of length, a sequence number, the body. Bytes as latin-1."""
    size = len(body)
    return f"{chr(size & 255)}{chr(size >> 8 & 255)}{chr(size >> 16 & 255)}\x00{body}"


class Postgres(Database):
    cpu, cpu_per_request, memory, stop_time = 2, 0.2, 48 * MIB, 120 * MILLISECOND
    port, boot_time = 5432, (2 * SECOND, 4 * SECOND)

    def refusal(self) -> tuple[str, ...]:
        trusts = self.process.env.get("POSTGRES_HOST_AUTH_METHOD") == "trust"
        return () if trusts or self.given("POSTGRES_PASSWORD") else POSTGRES_UNINITIALIZED

    def speaks(self, port: int) -> str:
        return "postgres"

    def reply(self, port: int, given: str) -> tuple[str, bool]:
        """No TLS; a simple query for a constant gets its row; a start of a session is refused."""
        if given == SSL_REQUEST:
            return "N", False
        asked = SELECT.fullmatch(given[5:].rstrip("\x00")) if given[:1] == "Q" else None
        if asked is None:
            return postgres_message("E", f"SFATAL\x00VFATAL\x00C0A000\x00M{NOT_MODELLED}\x00\x00"), True
        return postgres_message("D", "\x00\x01\x00\x00\x00" + chr(len(asked[1])) + asked[1]), True

    def at_start(self) -> list[Line]:
        begun = self.process.started + 12 * MILLISECOND
        if refusal := self.refusal():
            return [Line(begun, "stderr", text) for text in refusal]
        ready, took = self.listens_at(), self.listens_at() - begun
        at = [begun + took * share // 100 for share in (2, 40, 75, 80, 90, 96)]
        stops = [(at[4] + 1_000, "received fast shutdown request"), (at[4] + 1_400, "aborting any active transactions")]
        stops += [(at[4] + 9_000, "shutting down"), (at[4] + 60_000, "database system is shut down")]
        return [
            *(Line(begun, "stdout", text) for text in self._greeting()),
            *(Line(at[0] + (at[2] - at[0]) * n // 10, "stdout", text) for n, text in enumerate(self._initdb())),
            Line(at[2], "stdout", ""),
            Line(at[2], "stdout", ""),
            Line(at[2], "stdout", "Success. You can now start the database server using:"),
            Line(at[2], "stdout", ""),
            Line(at[2], "stdout", f"    pg_ctl -D {self.directory} -l logfile start"),
            Line(at[2], "stdout", ""),
            Line(at[2], "stderr", 'initdb: warning: enabling "trust" authentication for local connections'),
            Line(at[2], "stderr", "initdb: hint: You can change this by editing pg_hba.conf or using the option -A, or"
                 " --auth-local and --auth-host, the next time you run initdb."),
            *self._server(at[3], at[3] + took // 30, 48, "waiting for server to start...."),
            Line(at[3] + took // 30, "stdout", " done"),
            Line(at[3] + took // 30, "stdout", "server started"),
            *([Line(at[3] + took // 20, "stdout", "CREATE DATABASE")] if self._own_database() else []),
            Line(at[4] - 80, "stdout", ""),
            Line(at[4] - 60, "stdout", "/usr/local/bin/docker-entrypoint.sh: ignoring /docker-entrypoint-initdb.d/*"),
            Line(at[4] - 40, "stdout", ""),
            *(self._log(when, 48, text, "waiting for server to shut down...." if not n else "")
              for n, (when, text) in enumerate(stops)),
            Line(at[4] + 61_000, "stdout", " done"),
            Line(at[4] + 61_000, "stdout", "server stopped"),
            Line(at[4] + 61_100, "stdout", ""),
            Line(at[4] + 61_100, "stdout", "PostgreSQL init process complete; ready for start up."),
            Line(at[4] + 61_100, "stdout", ""),
            *self._server(max(at[5], at[4] + 62_000), ready, 1),
        ]  # fmt: skip

    @property
    def directory(self) -> str:
        major = self.release(POSTGRES_VERSIONS).partition(".")[0]
        usual = "/var/lib/postgresql/data" if len(major) < 2 or major < "18" else f"/var/lib/postgresql/{major}/docker"
        return self.process.env.get("PGDATA") or usual

    def _own_database(self) -> bool:
        env = self.process.env
        return (env.get("POSTGRES_DB") or env.get("POSTGRES_USER") or "postgres") != "postgres"

    def _greeting(self) -> tuple[str, ...]:
        return (
            'The files belonging to this database system will be owned by user "postgres".',
            "This user must also own the server process.",
            "",
            'The database cluster will be initialized with locale "en_US.utf8".',
            'The default database encoding has accordingly been set to "UTF8".',
            'The default text search configuration will be set to "english".',
            "",
            f"Data page checksums are {'enabled' if self.directory.endswith('/docker') else 'disabled'}.",
            "",
        )

    def _initdb(self) -> tuple[str, ...]:
        return (
            f"fixing permissions on existing directory {self.directory} ... ok",
            "creating subdirectories ... ok",
            "selecting dynamic shared memory implementation ... posix",
            'selecting default "max_connections" ... 100',
            'selecting default "shared_buffers" ... 128MB',
            "selecting default time zone ... Etc/UTC",
            "creating configuration files ... ok",
            "running bootstrap script ... ok",
            "performing post-bootstrap initialization ... ok",
            "syncing data to disk ... ok",
        )

    def _server(self, at: int, ready: int, pid: int, before: str = "") -> list[Line]:
        """A start of postgres that ends with `ready`; the temporary one (not process 1) hears its socket only."""
        version = self.release(POSTGRES_VERSIONS)
        built = "x86_64-pc-linux-gnu, compiled by gcc (Debian 14.2.0-19) 14.2.0, 64-bit"
        said = [f"starting PostgreSQL {version} (Debian {version}-1.pgdg13+1) on {built}"]
        if pid == 1:
            said += ['listening on IPv4 address "0.0.0.0", port 5432', 'listening on IPv6 address "::", port 5432']
        said.append('listening on Unix socket "/var/run/postgresql/.s.PGSQL.5432"')
        lines = [self._log(at + 200 * n, pid, text, before if not n else "") for n, text in enumerate(said)]
        down = f"{self.process.date(at):%Y-%m-%d %H:%M:%S} UTC"
        lines.append(self._log(ready - 500, pid + 3 if pid > 1 else 62, f"database system was shut down at {down}"))
        return [*lines, self._log(ready, pid, "database system is ready to accept connections")]

    def at_stop(self) -> list[Line]:
        at = self.process.stopped or 0
        if self.refusal() or at < self.listens_at():
            return []
        said = ("received fast shutdown request", "aborting any active transactions", "shutting down")
        lines = [self._log(at + 2 * n * MILLISECOND, 1, text) for n, text in enumerate(said)]
        return [*lines, self._log(at + 100 * MILLISECOND, 1, "database system is shut down")]

    def _log(self, at: int, pid: int, text: str, before: str = "") -> Line:
        moment = self.process.date(at)
        stamp = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 1000:03d} UTC"
        return Line(at, "stdout" if before else "stderr", f"{before}{stamp} [{pid}] LOG:  {text}")


def postgres_message(kind: str, body: str) -> str:
    """One message: its kind, four bytes of length that count themselves, the body. Bytes as latin-1."""
    return kind + (len(body) + 4).to_bytes(4, "big").decode("latin-1") + body
