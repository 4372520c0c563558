"""mysql, mariadb and postgres: how they start, refuse to start, and say that they are there.

    no password variable   the entry point's complaint, exit code 1
    an empty directory     a data directory is made, a temporary server runs scripts, then the real one listens
    a directory with data  the real one listens at once (3306, 5432)

What they found, and what became of the scripts, stands in the record (servers/starts.py); what they answer is in
servers/sql/. Here is their log, a function of time.

Mirrors:  docker-library/mysql, docker-library/postgres, mariadb-docker (docker-entrypoint.sh), mysqld 8.0 to 9.5,
          mariadbd 10.11 to 12, postgres 14 to 18
Left out: options and configuration files, recovery after a crash, real clients from outside of the cluster (they are
          told so in the server's own form).
Read next: servers/starts.py; live/commands/databases.py for the clients.
"""

from collections.abc import Mapping, Sequence

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
MYSQL_VERSIONS = {"latest": "9.5.0", "9": "9.5.0", "lts": "8.4.7", "8": "8.4.7", "8.4": "8.4.7", "8.0": "8.0.44",
                  "5": "5.7.44", "5.7": "5.7.44", "5.6": "5.6.51"}  # fmt: skip
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
POSTGRES_VERSIONS = {"latest": "18.1", "18": "18.1", "17": "17.7", "16": "16.11", "15": "15.15", "14": "14.20",
                     "13": "13.23", "12": "12.22", "11": "11.22", "10": "10.23"}  # fmt: skip
REFUSAL_TIME = 40 * MILLISECOND
NOT_SERVED = "orrery: this server is simulated and speaks with the clients in this cluster's images only"
MARIADB_UNINITIALIZED = (
    "Database is uninitialized and password option is not specified",
    "\tYou need to specify one of MARIADB_ROOT_PASSWORD, MARIADB_ROOT_PASSWORD_HASH, MARIADB_ALLOW_EMPTY_ROOT_PASSWORD"
    " and MARIADB_RANDOM_ROOT_PASSWORD",
)
MARIADB_VERSIONS = {"latest": "12.1.2", "lts": "11.8.5", "12": "12.1.2", "11": "11.8.5", "11.4": "11.4.9",
                    "11.8": "11.8.5", "10": "10.11.15", "10.11": "10.11.15", "10.6": "10.6.24"}  # fmt: skip
MARIADB_PASSWORDS = ("MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD_HASH",
                     "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD", "MYSQL_ALLOW_EMPTY_PASSWORD",
                     "MARIADB_RANDOM_ROOT_PASSWORD", "MYSQL_RANDOM_ROOT_PASSWORD")  # fmt: skip
ENTRYPOINT, SCRIPTS = "/usr/local/bin/docker-entrypoint.sh", "/docker-entrypoint-initdb.d"
UNRUN = "orrery: compressed scripts are not run"
SSL_REQUEST = "\x00\x00\x00\x08\x04\xd2\x16\x2f"


POSTGRES_OLD_MOUNT = (
    "Error: in 18+, these Docker images are configured to store database data in a",
    '       format which is compatible with "pg_ctlcluster" (specifically, using',
    "       major-version-specific directory names).  This better reflects how",
    "       PostgreSQL itself works, and how upgrades are to be performed.",
    "",
    "       See also https://github.com/docker-library/postgres/pull/1259",
    "",
    "       Counter to that, there appears to be PostgreSQL data in:",
    "         /var/lib/postgresql/data (unused mount/volume)",
    "",
    "       This is usually the result of upgrading the Docker image without",
    '       upgrading the underlying database using "pg_upgrade" (which requires both',
    "       versions).",
    "",
    "       The suggested container configuration for 18+ is to place a single mount",
    "       at /var/lib/postgresql which will then place PostgreSQL data in a",
    '       subdirectory, allowing usage of "pg_upgrade --link" without mount point',
    "       boundary issues.",
)


def _not_empty(directory: str, data: str) -> tuple[str, ...]:
    """What initdb says of a directory that it may not use."""
    first = f'initdb: error: directory "{directory}" exists but is not empty'
    if data == "lost+found":
        return (
            first,
            "initdb: detail: It contains a lost+found directory, perhaps due to it being a mount point.",
            "initdb: hint: Using a mount point directly as the data directory is not recommended.",
            "Create a subdirectory under the mount point.",
        )
    hint = (
        f'initdb: hint: If you want to create a new database system, either remove or empty the directory "{directory}"'
    )
    return first, f'{hint} or run initdb with an argument other than "{directory}".'


def _other_version(moment: str, made_by: str, version: str) -> tuple[str, ...]:
    return (
        f"{moment} [1] FATAL:  database files are incompatible with server",
        f"{moment} [1] DETAIL:  The data directory was initialized by PostgreSQL version {made_by}, which is not"
        " compatible"
        f" with this version {version}.",
    )


def major_of(version: str) -> int:
    """
    >>> major_of("17.7"), major_of("nonsense")
    (17, 18)
    """
    digits = version.partition(".")[0]
    return int(digits) if digits.isdecimal() and digits.isascii() and len(digits) < 4 else 18


def postgres_data(version: str, env: Mapping[str, str]) -> str:
    """Where the image keeps its data: from 18 on in a directory of the version's own."""
    major = version.partition(".")[0]
    usual = "/var/lib/postgresql/data" if major_of(version) < 18 else f"/var/lib/postgresql/{major}/docker"
    return (env.get("PGDATA") or usual).rstrip("/")


class Database(Program):
    """What all have in common: a refusal, or a first boot of some seconds, or a quicker one with data."""

    port = 0
    boot_time = (0, 0)  # Microseconds, at least and at most.
    usual_time = (0, 0)  # Likewise, when the data is there.

    def refusal(self) -> tuple[str, ...]:
        """Why the entry point does not start the server; nothing: it does."""
        raise NotImplementedError

    def exit(self) -> Exit | None:
        if self.refusal():
            return ended(self.process.started + REFUSAL_TIME, 1)
        if self.process.boot.get("failed"):
            return ended(self.listens_at(), 1)  # A script did: the real server is never started.
        return super().exit()

    def ports(self) -> tuple[int, ...]:
        return (self.port,)

    def listens_at(self) -> int:
        took = self.usual_time if self.has_data else self.boot_time
        return self.process.started + noise.between(*took, self.process.seed, 3)

    @property
    def has_data(self) -> bool:
        """Was there a database in its directory when it started?"""
        return self.process.boot.get("data") == "kept"

    def scripts(self) -> list[tuple[str, bool]]:
        """Lines about the scripts of the first boot: (text, is it an error?)."""
        lines: list[tuple[str, bool]] = []
        for name, deed, printed in self.process.boot.get("scripts") or ():
            if deed == "not run":
                lines.append((f"{ENTRYPOINT}: ignoring {SCRIPTS}/{name} ({UNRUN})", False))
                continue
            lines.append((f"{ENTRYPOINT}: {deed} {SCRIPTS}/{name}", False))
            lines += [(text, "ERROR" in text) for text in printed]
        return lines

    def given(self, name: str) -> bool:
        """Is the variable set, itself or by a file's name?"""
        return bool(self.process.env.get(name) or self.process.env.get(f"{name}_FILE"))

    def lacks(self, names: Sequence[str]) -> bool:
        """Is none of the variables set, or was what a file's name stands for empty?"""
        return self.process.boot.get("data") == "refused" or not any(self.given(name) for name in names)

    def release(self, known: dict[str, str]) -> str:
        """By the image's tag: its own digits, or what they stand for."""
        tag = self.process.image.rpartition("/")[2].partition("@")[0].partition(":")[2].partition("-")[0] or "latest"
        return known.get(tag, tag if tag[:1].isdigit() else known["latest"])


class MySQL(Database):
    cpu, cpu_per_request, memory, stop_time = 6, 0.3, 380 * MIB, 900 * MILLISECOND
    port, boot_time, usual_time = 3306, (7 * SECOND, 11 * SECOND), (1 * SECOND, 2 * SECOND)

    @property
    def version(self) -> str:
        return self.release(MYSQL_VERSIONS)

    def refusal(self) -> tuple[str, ...]:
        if self.has_data:
            return ()
        if self.process.boot.get("data") == "no space":
            return (
                "mysqld: Can't create/write to file '/var/lib/mysql/is_writable' (OS errno 28 - No space left on"
                " device)",
            )
        if self.process.env.get("MYSQL_USER") == "root" and any(self.given(name) for name in MYSQL_PASSWORDS):
            return MYSQL_ROOT_AGAIN
        return MYSQL_UNINITIALIZED if self.lacks(MYSQL_PASSWORDS) else ()

    def speaks(self, port: int) -> str:
        return "mysql"

    def reply(self, port: int, given: str) -> tuple[str, bool]:
        """To a client that does not come from a container of the cluster: an error, as the first packet."""
        return mysql_packet("\xff\x51\x04#HY000" + NOT_SERVED), True  # 1105, ER_UNKNOWN_ERROR.

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
        if self.has_data:
            return [*said, *self._server(begun + 120 * MILLISECOND, ready, version, self.port, 1)]
        at = [begun + took * share // 100 for share in (1, 3, 50, 52, 54, 68, 70, 88, 90)]
        if self.process.boot.get("failed"):
            return [*said, *self._first_boot(at, version)]
        return [
            *said,
            *self._first_boot(at, version),
            self._note(at[6] + 900_000, "Stopping temporary server"),
            self._said(at[6] + 901_000, 11, "System", "013172", f"Received SHUTDOWN from user root. {_down(version)}"),
            self._said(at[7], 0, "System", "010910", _complete(version)),
            self._note(at[8], "Temporary server stopped"),
            Line(at[8] + 40, "stdout", ""),
            self._note(at[8] + 80, "MySQL init process done. Ready for start up."),
            Line(at[8] + 120, "stdout", ""),
            *self._server(at[8] + 30 * MILLISECOND, ready, version, self.port, 1),
        ]

    def _first_boot(self, at: list[int], version: str) -> list[Line]:
        """Until the temporary server has done what the environment and the scripts ask for."""
        return [
            self._note(at[0], "Initializing database files"),
            *self._initialization(at[1], at[2], version),
            self._note(at[3], "Database files initialized"),
            self._note(at[3] + 40, "Starting temporary server"),
            *self._server(at[4], at[5], version, 0, 121),
            self._note(at[6], "Temporary server started."),
            Line(at[6] + 40, "stdout", f"'/var/lib/mysql/mysql.sock' -> '{MYSQL_SOCKET}'"),
            *self._wishes(at[6] + 80),
            *self._scripts(at[6] + 2_000),
        ]

    def _scripts(self, at: int) -> list[Line]:
        lines: list[Line] = []
        for n, (text, wrong) in enumerate(self.scripts()):
            noted = text.startswith(ENTRYPOINT)
            lines.append(
                self._note(at + 200 * n, text) if noted else Line(at + 200 * n, "stderr" if wrong else "stdout", text)
            )
        return lines

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
        if self.exit() or at < self.listens_at():
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


class MariaDB(MySQL):
    """The same protocol and the same entry point, grown apart: other words in the log."""

    memory = 120 * MIB
    boot_time, usual_time = (4 * SECOND, 7 * SECOND), (600 * MILLISECOND, 1_400 * MILLISECOND)

    @property
    def number(self) -> str:
        return self.release(MARIADB_VERSIONS)

    @property
    def version(self) -> str:
        return f"{self.number}-MariaDB-ubu{'2204' if self.number.startswith('10') else '2404'}"

    def refusal(self) -> tuple[str, ...]:
        return MARIADB_UNINITIALIZED if not self.has_data and self.lacks(MARIADB_PASSWORDS) else ()

    def at_start(self) -> list[Line]:
        started = (
            f"Entrypoint script for MariaDB Server 1:{self.number}+maria~{self.version.rpartition('-')[2]} started."
        )
        begun = self.process.started + 15 * MILLISECOND
        lines = [self._note(begun + 40 * n, text) for n, text in enumerate(
            (started, "Switching to dedicated user 'mysql'", started))]  # fmt: skip
        if refusal := self.refusal():
            first = self._note(begun + 120, refusal[0], "ERROR")
            return [*lines, first, *(Line(first.at, "stderr", text) for text in refusal[1:])]
        ready, took = self.listens_at(), self.listens_at() - begun
        if self.has_data:
            upgrade = self._note(begun + 160, "MariaDB upgrade not required")
            return [*lines, upgrade, *self._mariadbd(begun + 200 * MILLISECOND, ready, self.port)]
        at = [begun + took * share // 100 for share in (2, 45, 50, 70, 75, 88)]
        lines += [
            self._note(at[0], "Initializing database files"),
            self._note(at[1], "Database files initialized"),
            self._note(at[1] + 40, "Starting temporary server"),
            self._note(at[1] + 80, "Waiting for server startup"),
            *self._mariadbd(at[2], at[3], 0),
            self._note(at[3] + 100, "Temporary server started."),
            *self._wishes(at[3] + 200),
            self._note(at[3] + 1_000, "Securing system users (equivalent to running mysql_secure_installation)"),
            *self._scripts(at[3] + 2_000),
        ]
        if self.process.boot.get("failed"):
            return lines
        return [
            *lines,
            self._note(at[4], "Stopping temporary server"),
            self._note(at[5], "Temporary server stopped"),
            Line(at[5] + 40, "stdout", ""),
            self._note(at[5] + 80, "MariaDB init process done. Ready for start up."),
            Line(at[5] + 120, "stdout", ""),
            *self._mariadbd(at[5] + 30 * MILLISECOND, ready, self.port),
        ]

    def _mariadbd(self, at: int, ready: int, port: int) -> list[Line]:
        socket = f"socket: '/run/mysqld/mysqld.sock'  port: {port}  mariadb.org binary distribution"
        return [
            self._noted(at, f"Starting MariaDB {self.version} source revision  server_uid orrery as process 1"),
            self._noted(at + 900, "InnoDB: Completed initialization of buffer pool"),
            self._noted(ready - 400, "Server socket created on IP: '0.0.0.0', port: '3306'."),
            self._noted(ready, "mariadbd: ready for connections."),
            Line(ready, "stderr", f"Version: '{self.version}'  {socket}"),
        ]

    def at_stop(self) -> list[Line]:
        at = self.process.stopped or 0
        if self.exit() or at < self.listens_at():
            return []
        return [
            self._noted(at, "mariadbd (initiated by: unknown): Normal shutdown"),
            self._noted(at + 800 * MILLISECOND, "mariadbd: Shutdown complete"),
        ]

    def _noted(self, at: int, text: str) -> Line:
        moment = self.process.date(at)
        return Line(at, "stderr", f"{moment:%Y-%m-%d} {moment.hour:2d}:{moment:%M:%S} 0 [Note] {text}")


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
    port, boot_time, usual_time = 5432, (2 * SECOND, 4 * SECOND), (200 * MILLISECOND, 500 * MILLISECOND)

    @property
    def version(self) -> str:
        return self.release(POSTGRES_VERSIONS)

    def refusal(self) -> tuple[str, ...]:
        data = self.process.boot.get("data")
        if data == "kept":
            return ()
        if data in ("lost+found", "not empty"):
            return (*self._greeting(), *_not_empty(self.directory, data))
        if data == "old mount":
            return POSTGRES_OLD_MOUNT
        if data == "no space":
            return (f'initdb: error: could not create directory "{self.directory}": No space left on device',)
        if data == "other version":
            moment = f"{self.process.date(self.process.started):%Y-%m-%d %H:%M:%S} UTC"
            return _other_version(moment, self.process.boot["version"], self.version)
        trusts = self.process.env.get("POSTGRES_HOST_AUTH_METHOD") == "trust"
        return POSTGRES_UNINITIALIZED if not trusts and self.lacks(("POSTGRES_PASSWORD",)) else ()

    def speaks(self, port: int) -> str:
        return "postgres"

    def reply(self, port: int, given: str) -> tuple[str, bool]:
        """To a client that does not come from a container of the cluster: no TLS, and an error."""
        if given == SSL_REQUEST:
            return "N", False
        return postgres_message("E", f"SFATAL\x00VFATAL\x00C0A000\x00M{NOT_SERVED}\x00\x00"), True

    def at_start(self) -> list[Line]:
        begun = self.process.started + 12 * MILLISECOND
        if refusal := self.refusal():
            return [Line(begun, "stderr", text) for text in refusal]
        ready, took = self.listens_at(), self.listens_at() - begun
        if self.has_data:
            skipping = "PostgreSQL Database directory appears to contain a database; Skipping initialization"
            said = [Line(begun, "stdout", text) for text in ("", skipping, "")]
            return [*said, *self._server(begun + 50 * MILLISECOND, ready, 1)]
        at = [begun + took * share // 100 for share in (2, 40, 75, 80, 90, 96)]
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
            *(Line(at[4] - 80_000 + 100 * n, "stderr" if wrong else "stdout", text)
              for n, (text, wrong) in enumerate(self._scripts_said())),
            *(() if self.process.boot.get("failed") else self._second_start(at, ready)),
        ]  # fmt: skip

    def _scripts_said(self) -> list[tuple[str, bool]]:
        lines = [("", False)]
        for text, wrong in self.scripts() or [(f"{ENTRYPOINT}: ignoring {SCRIPTS}/*", False)]:
            lines += [("", False), (text, wrong)] if text.startswith(ENTRYPOINT) else [(text, wrong)]
        return [*lines, ("", False)]

    def _second_start(self, at: list[int], ready: int) -> list[Line]:
        """The temporary server goes, the real one comes."""
        stops = [(at[4] + 1_000, "received fast shutdown request"), (at[4] + 1_400, "aborting any active transactions")]
        stops += [(at[4] + 9_000, "shutting down"), (at[4] + 60_000, "database system is shut down")]
        return [
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
        return postgres_data(self.version, self.process.env)

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
        if self.exit() or at < self.listens_at():
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
