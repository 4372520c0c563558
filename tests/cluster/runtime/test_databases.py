"""mysql, mariadb and postgres: they start, refuse to start, keep their data where their disk is, and stop."""

import pytest

from cluster.runtime.containers import program_of
from cluster.runtime.programs.databases import MySQL, Postgres
from cluster.runtime.programs.program import SECOND, Line, Process
from cluster.world import World, replay
from tests.builders import TestCluster, a_cluster, a_pod, a_service
from tests.cluster.kubelet.cases import a_machine_room, condition, container
from tests.cluster.kubelet.test_sessions import code, exec_, printed, type_

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


def test_a_postgres_client_from_outside_is_told_in_its_own_protocol_that_it_is_not_served():
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
        ("mysql:8.0", {"MYSQL_ALLOW_EMPTY_PASSWORD": "1"}, ("mysql", "-h", "127.0.0.1", "-e", "SELECT 1")),
        ("mariadb:11", {"MARIADB_ROOT_PASSWORD": "secret"}, ("mariadb-admin", "ping", "-psecret")),
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
        ("mysql:8.0", ROOT, "mysqladmin ping -psecret 2>/dev/null", (1, 0), "", "mysqld is alive\n"),
        (
            "mysql:8.0", ROOT, "mysqladmin ping", (1, 0), MYSQL_DOWN,
            "mysqladmin: connect to server at 'localhost' failed\n"
            "error: 'Access denied for user 'root'@'localhost' (using password: NO)'\n",
        ),
        (
            "mysql:8.0", ROOT, "mysql -uroot -psecret -e 'select * from shop.t'", (1, 1), "",
            "mysql: [Warning] Using a password on the command line interface can be insecure.\nERROR 1049 (42000) at"
            " line"
            " 1: Unknown database 'shop'\n",
        ),
        ("mysql:8.0", ROOT, "MYSQL_PWD=secret mysql -e 'select 42;'", (1, 0), "", "42\n42\n"),
        (
            "mysql:8.0", ROOT, "mysql -uann -pwrong 2>&1 | tail -1", (0, 0), "",
            "ERROR 1045 (28000): Access denied for user 'ann'@'localhost' (using password: YES)\n",
        ),
        (
            "postgres:16", SUPERUSER, "pg_isready", (2, 0),
            "/var/run/postgresql:5432 - no response\n", "/var/run/postgresql:5432 - accepting connections\n",
        ),
        (
            "postgres:16", SUPERUSER, "psql -U postgres -c 'select 1'", (2, 0), "",
            " ?column? \n----------\n        1\n(1 row)\n\n",
        ),
        (
            "postgres:16", SUPERUSER, "psql -c 'select 1'", (2, 2), "",
            'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed: FATAL:  role'
            ' "root"'
            " does not exist\n",
        ),
        (
            "postgres:16", SUPERUSER, "psql -h localhost -U postgres -c 'select * from t'", (2, 1), "",
            'ERROR:  relation "t" does not exist\nLINE 1: select * from t\n                      ^\n',
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
    waits = "until mysqladmin ping -h db -psecret; do sleep 2; done"
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


# --- where the data is ----------------------------------------------------------------------------------------------

MYSQL = ("mysql:8.4", ROOT, "/var/lib/mysql", "mysql -N -psecret shop -e")
MARIADB = ("mariadb:11", {"MARIADB_ROOT_PASSWORD": "secret"}, "/var/lib/mysql", "mariadb -N -psecret shop -e")
POSTGRES = ("postgres:16", SUPERUSER, "/var/lib/postgresql/data", "psql -U postgres -At -d shop -c")
KINDS = pytest.mark.parametrize(("image", "env", "directory", "client"), [MYSQL, MARIADB, POSTGRES])
SHOP = {"MYSQL_DATABASE": "shop", "MARIADB_DATABASE": "shop", "POSTGRES_DB": "shop"}


def a_stored_database(image: str, env: dict[str, str], directory: str, volume: dict | None, **more: object) -> dict:
    pod = a_database(image, {**env, **SHOP})
    if volume is not None:
        pod["spec"]["volumes"] = [{"name": "data", **volume}]
        pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": directory}]
    pod["spec"] |= more
    return pod


def a_claim(name: str) -> dict:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": spec}


def a_volume(name: str) -> dict:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": f"/mnt/{name}"}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def ran(cluster: TestCluster, command: str, pod: str = "db") -> str:
    """What a shell command in the pod prints, errors too; of passwords on command lines nothing is said."""
    text = printed(cluster, exec_(cluster, pod, "sh", "-c", command))
    return "".join(line for line in text.splitlines(keepends=True) if "can be insecure" not in line)


def replaced(cluster: TestCluster, pod: dict) -> None:
    cluster.delete(pod)
    cluster.run_until(lambda cluster: cluster.get("Pod", "db") is None, 60)
    cluster.create(pod)
    cluster.run_for(40)


def with_a_row(cluster: TestCluster, client: str) -> None:
    ran(cluster, f"{client} 'create table guests (id int primary key, name varchar(20))'")
    ran(cluster, f"{client} \"insert into guests values (1, 'Ann')\"")
    assert "Ann" in ran(cluster, f"{client} 'select name from guests'")


@KINDS
def test_a_new_pod_on_the_same_claim_finds_its_rows(image: str, env: dict[str, str], directory: str, client: str):
    cluster = a_machine_room()
    cluster.create(a_volume("disk"))
    cluster.create(a_claim("data"))
    pod = a_stored_database(image, env, directory, {"persistentVolumeClaim": {"claimName": "data"}})
    cluster.create(pod)
    cluster.run_for(60)
    with_a_row(cluster, client)

    replaced(cluster, pod)

    assert ran(cluster, f"{client} 'select name from guests'") == "Ann\n"
    said = [line.text for line in logs_of(cluster)]
    assert not any("nitializing database" in text or "initdb" in text for text in said)
    if image.startswith("postgres"):
        assert "PostgreSQL Database directory appears to contain a database; Skipping initialization" in said


@KINDS
def test_without_a_volume_the_rows_go_with_the_pod(image: str, env: dict[str, str], directory: str, client: str):
    cluster = a_machine_room()
    pod = a_stored_database(image, env, directory, None)
    cluster.create(pod)
    cluster.run_for(60)
    with_a_row(cluster, client)

    replaced(cluster, pod)

    assert "Ann" not in ran(cluster, f"{client} 'select name from guests'")
    assert any("nitializing database" in line.text or "initdb" in line.text for line in logs_of(cluster))


@KINDS
def test_an_emptydir_outlives_the_container_and_not_the_pod(
    image: str, env: dict[str, str], directory: str, client: str
):
    cluster = a_machine_room()
    pod = a_stored_database(image, env, directory, {"emptyDir": {}}, restartPolicy="Always")
    cluster.create(pod)
    cluster.run_for(60)
    with_a_row(cluster, client)

    exec_(cluster, "db", "kill", "1")
    cluster.run_for(30)
    assert container(cluster, "db")["restartCount"] == 1
    assert ran(cluster, f"{client} 'select name from guests'") == "Ann\n"

    replaced(cluster, pod)
    assert "Ann" not in ran(cluster, f"{client} 'select name from guests'")


def logs_of(cluster: TestCluster, pod: str = "db") -> list[Line]:
    record = next(
        one for one in cluster.world.cells["containers"].data.values() if one.get("pod") == pod and "argv" in one
    )
    return list(program_of(record, cluster.world.clock.epoch).lines(0, cluster.world.clock.now))


def test_an_uncommitted_transaction_is_gone_with_its_session():
    cluster = a_machine_room()
    cluster.create(a_stored_database(*POSTGRES[:3], None))
    cluster.run_for(60)
    with_a_row(cluster, POSTGRES[3])

    ran(cluster, "printf 'begin; delete from guests; select count(*) from guests;' | psql -U postgres -At shop")

    assert ran(cluster, f"{POSTGRES[3]} 'select count(*) from guests'") == "1\n"


def test_scripts_of_the_entry_point_run_at_the_first_start_only():
    cluster = a_machine_room()
    script = "create table seeds (id int);\ninsert into seeds values (1), (2);\n"
    config = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "init"}, "data": {"init.sql": script}}
    cluster.create(config)
    pod = a_stored_database(*MYSQL[:3], {"emptyDir": {}}, restartPolicy="Always")
    pod["spec"]["volumes"].append({"name": "init", "configMap": {"name": "init"}})
    pod["spec"]["containers"][0]["volumeMounts"].append({"name": "init", "mountPath": "/docker-entrypoint-initdb.d"})
    cluster.create(pod)
    cluster.run_for(60)

    assert ran(cluster, f"{MYSQL[3]} 'select count(*) from seeds'") == "2\n"
    note = "[Note] [Entrypoint]: /usr/local/bin/docker-entrypoint.sh: running /docker-entrypoint-initdb.d/init.sql"
    assert any(line.text.endswith(note) for line in logs_of(cluster))

    exec_(cluster, "db", "kill", "1")
    cluster.run_for(30)
    assert ran(cluster, f"{MYSQL[3]} 'select count(*) from seeds'") == "2\n"


def test_shell_scripts_of_the_entry_point_reach_the_temporary_server():
    cluster = a_machine_room()
    script = """#!/bin/bash
set -e
psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<-EOSQL
	CREATE USER docker;
	CREATE DATABASE docker OWNER docker;
EOSQL
"""
    config = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "init"}, "data": {"init.sh": script}}
    cluster.create(config)
    pod = a_database("postgres:16", {**SUPERUSER, "POSTGRES_USER": "root", "POSTGRES_DB": "shop"})
    pod["spec"]["volumes"] = [{"name": "init", "configMap": {"name": "init"}}]
    mount = {"name": "init", "mountPath": "/docker-entrypoint-initdb.d"}
    pod["spec"]["containers"][0]["volumeMounts"] = [mount]
    cluster.create(pod)
    cluster.run_for(60)

    asked = "select datname, datdba from pg_database where datname = current_database()"
    assert ran(cluster, f"psql -At -d docker -c '{asked}'") == "docker|docker\n"
    said = [line.text for line in logs_of(cluster)]
    at = said.index("/usr/local/bin/docker-entrypoint.sh: running /docker-entrypoint-initdb.d/init.sh")
    assert said[at + 1 : at + 3] == ["CREATE ROLE", "CREATE DATABASE"]


def test_postgres_refuses_a_directory_with_lost_and_found():
    cluster = a_machine_room()
    pod = a_stored_database(*POSTGRES[:3], {"emptyDir": {}})
    first = {"name": "disk", "image": "busybox", "command": ["mkdir", "/d/lost+found"],
             "volumeMounts": [{"name": "data", "mountPath": "/d"}]}  # fmt: skip
    pod["spec"]["initContainers"] = [first]
    cluster.create(pod)
    cluster.run_for(60)

    assert container(cluster, "db")["state"]["terminated"]["exitCode"] == 1
    records = cluster.world.cells["containers"].data.values()
    record = next(one for one in records if one.get("program") == "postgres")
    said = [line.text for line in program_of(record, cluster.world.clock.epoch).lines(0, cluster.world.clock.now)]
    assert "initdb: detail: It contains a lost+found directory, perhaps due to it being a mount point." in said


@KINDS
def test_a_client_in_another_pod_needs_the_password(image: str, env: dict[str, str], directory: str, client: str):
    cluster = a_cluster(nodes=1, addons=["kube-proxy", "coredns"])
    port = 5432 if image.startswith("postgres") else 3306
    cluster.create(a_service("db", port))
    cluster.create(a_stored_database(image, env, directory, None))
    cluster.create(a_pod("client", image, command=["sleep", "10000"]))
    cluster.run_for(90)
    with_a_row(cluster, client)

    if image.startswith("postgres"):
        ask = "psql -h db -U postgres -At -d shop -c 'select name from guests'"
        assert ran(cluster, f"PGPASSWORD=secret {ask}", "client") == "Ann\n"
        wrong = ran(cluster, f"PGPASSWORD=no {ask}", "client")
        assert 'port 5432 failed: FATAL:  password authentication failed for user "postgres"' in wrong
        assert "fe_sendauth: no password supplied" in ran(cluster, ask, "client")
    else:
        ask = f"{client.split()[0]} -N -h db -uroot shop -e 'select name from guests'"
        assert ran(cluster, f"{ask} -psecret", "client") == "Ann\n"
        address = cluster.get("Pod", "client")["status"]["podIP"]
        assert ran(cluster, f"{ask} -pno", "client") == (
            f"ERROR 1045 (28000): Access denied for user 'root'@'{address}' (using password: YES)\n"
        )


def test_a_dump_can_be_read_back():
    cluster = a_machine_room()
    for image, env, directory, client in (MYSQL, POSTGRES):
        cluster.create(a_stored_database(image, env, directory, None))
        cluster.run_for(60)
        with_a_row(cluster, client)
        if image.startswith("mysql"):
            ran(
                cluster,
                "mysqldump -psecret shop > /tmp/d; mysqladmin -psecret create again; mysql -psecret again < /tmp/d",
            )
            assert ran(cluster, "mysql -N -psecret again -e 'select * from guests'") == "1\tAnn\n"
        else:
            ran(
                cluster,
                "pg_dump -U postgres shop > /tmp/d; createdb -U postgres again; psql -U postgres again < /tmp/d",
            )
            assert ran(cluster, "psql -U postgres -At again -c 'select * from guests'") == "1|Ann\n"
        replaced(cluster, a_database("postgres:16", SUPERUSER)) if image.startswith("mysql") else None
        cluster.delete(a_database(image, env), gracePeriodSeconds=0)
        cluster.run_for(10)


# --- conversations ------------------------------------------------------------------------------------------------


def test_mysql_talks_at_a_terminal():
    cluster = a_machine_room()
    cluster.create(a_stored_database(*MYSQL[:3], None))
    cluster.run_for(60)
    session = exec_(cluster, "db", "mysql", "-uroot", "-p", tty=True, stdin=True)
    assert printed(cluster, session) == "Enter password: "
    type_(cluster, session, "secret\n")
    assert "secret" not in printed(cluster, session)
    for text in ("use shop\n", "create table t\n", "(id int);\n", "insert into t values"
                                                                  " (1),(2);\n", "select * from t;\n",
                 "selec;\n", "exit\n"):  # fmt: skip
        type_(cluster, session, text)

    said = printed(cluster, session).replace("\r\n", "\n")
    assert said.partition("current input statement.\n\n")[2] == (
        "mysql> use shop\nDatabase changed\nmysql> create table t\n    -> (id int);\nQuery OK, 0 rows affected (0.01"
        " sec)\n"
        "\nmysql> insert into t values (1),(2);\nQuery OK, 2 rows affected (0.01 sec)\nRecords: 2  Duplicates: 0 "
        " Warnings: 0"
        "\n\nmysql> select * from t;\n+----+\n| id |\n+----+\n|  1 |\n|  2 |\n+----+\n2 rows in set (0.00 sec)\n\n"
        "mysql> selec;\nERROR 1064 (42000): You have an error in your SQL syntax; check the manual that corresponds"
        " to your"
        " MySQL server version for the right syntax to use near 'selec' at line 1\nmysql> exit\nBye\n"
    )
    assert code(cluster, session) == 0


def test_psql_talks_at_a_terminal():
    cluster = a_machine_room()
    cluster.create(a_stored_database(*POSTGRES[:3], None))
    cluster.run_for(60)
    session = exec_(cluster, "db", "psql", "-U", "postgres", tty=True, stdin=True)
    for text in ("\\c shop\n", "create table t (id serial primary key,\n", "name text);\n", "begin;\n",
                 "insert into t(name) values ('x');\n", "oops;\n", "select 1;\n", "rollback;\n",
                 "\\dt\n", "\\q\n"):  # fmt: skip
        type_(cluster, session, text)

    said = printed(cluster, session).replace("\r\n", "\n")
    assert said == (
        'psql (16.11 (Debian 16.11-1.pgdg13+1))\nType "help" for help.\n\npostgres=# \\c shop\nYou are now connected to'
        ' database "shop" as user "postgres".\nshop=# create table t (id serial primary key,\nshop-# name'
        " text);\nCREATE"
        " TABLE\nshop=# begin;\nBEGIN\nshop=*# insert into t(name) values ('x');\nINSERT 0 1\nshop=*# oops;\nERROR: "
        " syntax"
        ' error at or near "oops"\nLINE 1: oops\n        ^\nshop=!# select 1;\nERROR:  current transaction is aborted,'
        " commands ignored until end of transaction block\nshop=!# rollback;\nROLLBACK\nshop=# \\dt\n"
        "        List of relations\n Schema | Name | Type  |  Owner   \n--------+------+-------+----------\n"
        " public | t    | table | postgres\n(1 row)\n\nshop=# \\q\n"
    )


# --- replay, and the network --------------------------------------------------------------------------------------


def test_a_life_with_a_database_is_rebuilt_and_replayed():
    cluster = a_machine_room()
    cluster.create(a_stored_database(*POSTGRES[:3], {"emptyDir": {}}))
    cluster.run_for(60)
    with_a_row(cluster, POSTGRES[3])
    session = exec_(cluster, "db", "psql", "-U", "postgres", "shop", tty=True, stdin=True)
    for line in ("begin;\n", "insert into guests values (2, 'Bob');\n", "select random(), gen_random_uuid();\n"):
        type_(cluster, session, line)

    rebuilt = World.restore(cluster.world.checkpoint_body(), cluster.world.objects())
    assert rebuilt.dump() == cluster.world.dump()
    for world in (cluster.world, rebuilt):
        world.execute("typed", {"type": "stream", "session": session, "op": "stdin", "data": "commit;\n"})
        world.run(world.now + 5 * SECOND)
    assert rebuilt.dump() == cluster.world.dump()
    assert ran(cluster, f"{POSTGRES[3]} 'select count(*) from guests'") == "2\n"
    assert replay(cluster.world.export(), slice_steps=7).dump() == cluster.world.dump()


def test_a_policy_keeps_strangers_from_the_database():
    cluster = a_cluster(nodes=1, addons=["kube-proxy", "coredns"])
    cluster.create(a_service("db", 3306))
    cluster.create(a_stored_database(*MYSQL[:3], None))
    for name in ("friend", "stranger"):
        pod = a_pod(name, "mysql:8.4", command=["sleep", "10000"])
        pod["metadata"]["labels"] = {"role": name}
        cluster.create(pod)
    allowed = {"podSelector": {"matchLabels": {"role": "friend"}}}
    spec = {"podSelector": {"matchLabels": {"app": "db"}}, "policyTypes": ["Ingress"], "ingress": [{"from": [allowed]}]}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "db"}, "spec": spec}
    cluster.create(policy)
    cluster.run_for(90)
    ask = "mysql -h db -uroot -psecret -N -e 'select 1'"

    assert ran(cluster, ask, "friend") == "1\n"
    waiting = exec_(cluster, "stranger", "sh", "-c", ask)
    assert code(cluster, waiting) is None
    cluster.run_for(130)
    assert "ERROR 2003 (HY000): Can't connect to MySQL server on 'db:3306' (110)" in printed(cluster, waiting)


def test_a_database_out_of_a_stateful_set_comes_back_to_its_claim():
    cluster = a_machine_room()
    cluster.create(a_volume("disk"))
    pod = a_stored_database(*MYSQL[:3], {"emptyDir": {}}, restartPolicy="Always")
    del pod["spec"]["volumes"]
    claim = {**a_claim("data"), "metadata": {"name": "data"}}
    spec = {
        "serviceName": "db",
        "replicas": 1,
        "selector": {"matchLabels": {"app": "db"}},
        "volumeClaimTemplates": [claim],
    }
    template = {"metadata": {"labels": {"app": "db"}}, "spec": pod["spec"]}
    metadata = {"name": "db"}
    cluster.create(
        {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": {**spec, "template": template}}
    )
    cluster.run_for(90)
    ran(cluster, f"{MYSQL[3]} 'create table t (id int); insert into t values (7)'", "db-0")

    cluster.delete(cluster.get("Pod", "db-0"))
    cluster.run_for(60)

    assert ran(cluster, f"{MYSQL[3]} 'select id from t'", "db-0") == "7\n"
