"""mysql and postgres: they start, refuse to start, are asked whether they are there, and stop."""

import pytest

from cluster.runtime.programs.databases import MySQL, Postgres
from cluster.runtime.programs.program import SECOND, Process
from tests.builders import TestCluster, a_cluster, a_pod, a_service
from tests.cluster.kubelet.cases import a_machine_room, condition, container
from tests.cluster.kubelet.test_sessions import code, exec_, printed

EPOCH = 1_795_486_800_000_000  # 2026-11-24T02:20:00Z
ROOT = {"MYSQL_ROOT_PASSWORD": "secret"}
SUPERUSER = {"POSTGRES_PASSWORD": "secret"}


def a_mysql(env: dict[str, str], image: str = "mysql:8.0", **more: object) -> MySQL:
    return MySQL(Process(image, ("mysqld",), env, epoch=EPOCH, hostname="db-0", **more))


def a_postgres(env: dict[str, str], image: str = "postgres:16", **more: object) -> Postgres:
    return Postgres(Process(image, ("postgres",), env, epoch=EPOCH, hostname="db-0", **more))


def text(program: MySQL | Postgres) -> list[str]:
    return [line.text for line in program.lines(0, 60 * SECOND)]


def test_mysql_without_a_password_option_says_which_there_are_and_ends():
    database = a_mysql({"MYSQL_DATABASE": "shop"})

    assert text(database)[-5:] == [
        "2026-11-24 02:20:00+00:00 [ERROR] [Entrypoint]: Database is uninitialized and password option is not"
        " specified",
        "    You need to specify one of the following as an environment variable:",
        "    - MYSQL_ROOT_PASSWORD",
        "    - MYSQL_ALLOW_EMPTY_PASSWORD",
        "    - MYSQL_RANDOM_ROOT_PASSWORD",
    ]
    assert database.exit().code == 1


@pytest.mark.parametrize("name", ["MYSQL_ROOT_PASSWORD_FILE", "MYSQL_ALLOW_EMPTY_PASSWORD"])
def test_mysql_starts_with_any_of_its_password_options(name: str):
    assert a_mysql({name: "1"}).exit() is None


def test_mysql_refuses_root_as_its_regular_user():
    database = a_mysql({**ROOT, "MYSQL_USER": "root"})

    assert database.exit().code == 1
    assert any("cannot be used for the root user" in line for line in text(database))


def test_mysql_prints_a_first_boot_in_order_and_listens_when_it_says_so():
    database = a_mysql({**ROOT, "MYSQL_DATABASE": "shop", "MYSQL_USER": "ann", "MYSQL_PASSWORD": "x"})
    lines = list(database.lines(0, 60 * SECOND))

    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert lines[-1].at == database.listens_at()
    assert lines[-1].text.endswith(
        "[Server] /usr/sbin/mysqld: ready for connections. Version: '8.0.44'  socket:"
        " '/var/run/mysqld/mysqld.sock'  port: 3306  MySQL Community Server - GPL."
    )
    assert [line.text.partition("]: ")[2] for line in lines if "shop" in line.text] == [
        "Creating database shop",
        "Giving user ann access to schema shop",
    ]


def test_postgres_without_a_password_says_what_to_do_and_ends():
    database = a_postgres({"POSTGRES_PASSWORD": ""})

    assert text(database)[0] == "Error: Database is uninitialized and superuser password is not specified."
    assert database.exit().code == 1
    assert a_postgres({"POSTGRES_HOST_AUTH_METHOD": "trust"}).exit() is None


@pytest.mark.parametrize(
    ("image", "directory"),
    [("postgres", "/var/lib/postgresql/18/docker"), ("postgres:16-alpine", "/var/lib/postgresql/data")],
)
def test_postgres_makes_its_data_directory_and_listens_when_it_says_so(image: str, directory: str):
    database = a_postgres({**SUPERUSER, "POSTGRES_DB": "shop"}, image)
    lines = list(database.lines(0, 60 * SECOND))

    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert f"fixing permissions on existing directory {directory} ... ok" in text(database)
    assert "CREATE DATABASE" in text(database)
    assert lines[-1].at == database.listens_at()
    assert lines[-1].text.endswith("UTC [1] LOG:  database system is ready to accept connections")


@pytest.mark.parametrize("make", [a_mysql, a_postgres])
def test_a_running_database_shuts_down_in_words_and_with_code_0(make):
    database = make({**ROOT, **SUPERUSER}, stopped=30 * SECOND)
    end = database.after_sigterm(30 * SECOND)
    last = list(database.lines(30 * SECOND, 60 * SECOND))

    assert len(last) >= 2
    assert last[-1].at <= end.at
    assert end.code == 0


def test_a_real_postgres_client_is_told_in_its_own_protocol_that_sql_is_not_modelled():
    database = a_postgres(SUPERUSER)

    assert database.reply(5432, "\x00\x00\x00\x08\x04\xd2\x16\x2f") == ("N", False)  # No TLS; it goes on without.
    said, over = database.reply(5432, "\x00\x00\x00\x17\x00\x03\x00\x00user\x00postgres\x00\x00")
    assert over
    assert said.startswith("E\x00\x00\x00")
    assert said[5:].split("\x00")[:3] == ["SFATAL", "VFATAL", "C0A000"]
    assert len(said) == 1 + int.from_bytes(said[1:5].encode("latin-1"), "big")


# --- in a cluster -------------------------------------------------------------------------------------------------


def a_database(image: str, env: dict[str, str], *probe: str) -> dict:
    variables = [{"name": name, "value": value} for name, value in env.items()]
    pod = a_pod("db", image, env=variables, restartPolicy="Never")
    pod["metadata"]["labels"] = {"app": "db"}
    if probe:
        pod["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": list(probe)}, "periodSeconds": 2}
    return pod


def is_ready(cluster: TestCluster) -> bool:
    return condition(cluster.get("Pod", "db"), "Ready")["status"] == "True"


@pytest.mark.parametrize(
    ("image", "env", "probe"),
    [
        ("mysql:8.0", ROOT, ("mysqladmin", "ping", "-h", "localhost")),
        ("mysql:8.0", ROOT, ("sh", "-c", "mysqladmin ping -uroot -p$MYSQL_ROOT_PASSWORD")),
        ("mysql:8.0", ROOT, ("mysql", "-h", "127.0.0.1", "-e", "SELECT 1")),
        ("postgres:16", SUPERUSER, ("pg_isready", "-U", "postgres")),
        ("postgres:16", SUPERUSER, ("psql", "-U", "postgres", "-c", "select 1")),
    ],
)
def test_a_database_is_ready_when_its_own_client_reaches_it(image: str, env: dict[str, str], probe: tuple[str, ...]):
    cluster = a_machine_room()
    cluster.create(a_database(image, env, *probe))

    cluster.run_until(lambda cluster: "running" in (container(cluster, "db").get("state") or {}), 120)
    cluster.run_for(1)
    assert not is_ready(cluster)
    cluster.run_for(20)
    assert is_ready(cluster)


@pytest.mark.parametrize("image", ["mysql:8.0", "postgres:16"])
def test_a_database_without_a_password_fails(image: str):
    cluster = a_machine_room()
    cluster.create(a_database(image, {}))
    cluster.run_for(90)

    ended = container(cluster, "db")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (1, "Error")


MYSQL_DOWN = (
    "mysqladmin: connect to server at 'localhost' failed\n"
    "error: 'Can't connect to local MySQL server through socket '/var/run/mysqld/mysqld.sock' (2)'\n"
    "Check that mysqld is running and that the socket: '/var/run/mysqld/mysqld.sock' exists!\n"
)


@pytest.mark.parametrize(
    ("image", "env", "command", "status", "before", "after"),
    [
        ("mysql:8.0", ROOT, "mysqladmin ping", (1, 0), MYSQL_DOWN, "mysqld is alive\n"),
        (
            "mysql:8.0", ROOT, "mysql -uroot -psecret -e 'create database a'", (1, 1), "",
            "mysql: [Warning] Using a password on the command line interface can be insecure.\nERROR 1105 (HY000):"
            " orrery: this server is simulated and SQL is not modelled (only select NUMBER is)\n",
        ),
        ("mysql:8.0", ROOT, "mysql -e 'select 42;'", (1, 0), "", "42\n42\n"),
        (
            "postgres:16", SUPERUSER, "pg_isready", (2, 0),
            "/var/run/postgresql:5432 - no response\n", "/var/run/postgresql:5432 - accepting connections\n",
        ),
        ("postgres:16", SUPERUSER, "psql -c 'select 1'", (2, 0), "", " ?column? \n----------\n        1\n(1 row)\n\n"),
        (
            "postgres:16", SUPERUSER, "psql -h localhost -c '\\l'", (2, 2), "",
            'psql: error: connection to server at "localhost" (127.0.0.1), port 5432 failed: FATAL:  orrery: this'
            " server is simulated and SQL is not modelled (only select NUMBER is)\n",
        ),
    ],
)  # fmt: skip
def test_clients_say_what_the_server_says(
    image: str, env: dict[str, str], command: str, status: tuple[int, int], before: str, after: str
):
    cluster = a_machine_room()
    cluster.create(a_database(image, env))
    cluster.run_until(lambda cluster: "running" in (container(cluster, "db").get("state") or {}), 120)

    early = exec_(cluster, "db", "sh", "-c", command)
    assert code(cluster, early) == status[0]
    assert before in printed(cluster, early)
    cluster.run_for(20)
    late = exec_(cluster, "db", "sh", "-c", command)
    assert (code(cluster, late), printed(cluster, late)) == (status[1], after)


def test_clients_in_other_pods_reach_the_database_by_its_service():
    cluster = a_cluster(nodes=1, addons=["kube-proxy", "coredns"])
    cluster.create(a_service("db", 3306))
    cluster.create(a_pod("client", "mysql:8.0", restartPolicy="Never", args=["mysqladmin", "-h", "db", "ping"]))
    waits = "until mysqladmin ping -h db; do sleep 2; done"
    cluster.create(a_pod("waiter", "mysql:8.0", restartPolicy="Never", command=["sh", "-c", waits]))
    cluster.run_for(120)
    records = cluster.world.cells["containers"].data.values()
    client = next(record for record in records if record.get("pod") == "client" and "printed" in record)
    assert client["printed"][0][2].startswith(
        "mysqladmin: connect to server at 'db' failed\nerror: 'Can't connect to MySQL server on 'db:3306' (111)'\n"
    )
    assert cluster.get("Pod", "client")["status"]["phase"] == "Failed"
    assert cluster.get("Pod", "waiter")["status"]["phase"] == "Running"

    cluster.create(a_database("mysql:8.0", ROOT))
    cluster.run_for(60)

    assert cluster.get("Pod", "waiter")["status"]["phase"] == "Succeeded"
