"""SQL in two dialects: the same rows, each server's own types, order and words."""

import doctest
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.runtime.live.files import Files
from cluster.runtime.live.servers import starts
from cluster.runtime.live.servers.place import Place
from cluster.runtime.live.servers.sql import server
from cluster.runtime.programs.databases import postgres_data

NOW = datetime(2026, 11, 25, 12, 0, 0, 250_000, tzinfo=UTC)
ENV = {"MYSQL_ROOT_PASSWORD": "x", "MYSQL_DATABASE": "shop", "POSTGRES_PASSWORD": "x", "POSTGRES_DB": "shop"}
VERSIONS = {"mysql": "8.4.7", "postgres": "17.7"}
USERS = {"mysql": "root", "postgres": "postgres"}
GUESTS = {
    "mysql": "create table guests (id int auto_increment primary key, name varchar(20) not null, age int unique)",
    "postgres": "create table guests (id serial primary key, name varchar(20) not null, age int unique)",
}
ROWS = "insert into guests (name, age) values ('Ann', 30), ('bob', null), ('Cy', 20)"
AGES = [["20"], ["30"]]
PAIRS = [["Ann", "bob"], ["bob", "Cy"]]
BOTH = pytest.mark.parametrize("dialect", ["mysql", "postgres"])


class Database:
    """A server on a disk of its own; `session` is one connection."""

    def __init__(self, dialect: str) -> None:
        self.dialect = dialect
        self.place = Place(Files({}, {"own": {}}, "own", [], 1), ENV, NOW, 1, version=VERSIONS[dialect], seed=7)
        (starts.mysql if dialect == "mysql" else starts.postgres)(self.place)
        self.directory = "/var/lib/mysql" if dialect == "mysql" else postgres_data(VERSIONS[dialect], {})

    def ask(self, sql: str, session: str = "s") -> dict[str, Any]:
        about = {"user": USERS[self.dialect], "password": "x", "database": "shop", "session": session, "local": True}
        return server.answer(self.place, self.dialect, self.directory, {**about, "sql": sql})

    def rows(self, sql: str, session: str = "s") -> list[list[str | None]]:
        answer = self.ask(sql, session)
        assert "error" not in answer, answer["error"]["text"]
        return answer["results"][-1]["rows"]

    def error(self, sql: str, session: str = "s") -> str:
        return self.ask(sql, session)["error"]["text"]

    def with_guests(self) -> "Database":
        self.rows(GUESTS[self.dialect])
        self.rows(ROWS)
        return self


@BOTH
@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("select name from guests where age > 25 or age is null order by id", [["Ann"], ["bob"]]),
        ("select count(*), count(age), sum(age), max(name) from guests", [["3", "2", "50", "Cy"]]),
        ("select name from guests where id in (1, 3) and not age = 20", [["Ann"]]),
        ("select upper(name), coalesce(age, 0) from guests order by name limit 1 offset 1", [["BOB", "0"]]),
        ("select a.name, b.name from guests a join guests b on b.id = a.id + 1 order by 1", PAIRS),
        ("select g.id, x.n from guests g left join (select 2 as n) x on x.n = g.id order by 1",
         [["1", None], ["2", "2"], ["3", None]]),
        ("select age is null as missing_, count(*) from guests group by age is null having count(*) > 1",
         {"mysql": [["0", "2"]], "postgres": [["f", "2"]]}),
        ("with old as (select * from guests where age > 25) select name from old", [["Ann"]]),
        ("select name from guests where age = (select max(age) from guests)", [["Ann"]]),
        ("select id from guests union select 2 union all select 9 order by 1", [["1"], ["2"], ["3"], ["9"]]),
        ("select case when age > 25 then 'old' when age is null then '?' else 'young' end from guests order by id",
         [["old"], ["?"], ["young"]]),
        ("select 7 / 2, 7 % 2, 1.5 * 2", {"mysql": [["3.5000", "1", "3.0"]], "postgres": [["3", "1", "3.0"]]}),
        ("select avg(age) from guests", {"mysql": [["25.0000"]], "postgres": [["25.0000000000000000"]]}),
        ("select name from guests where name like 'a%'", {"mysql": [["Ann"]], "postgres": []}),
        ("select age from guests order by age", {"mysql": [[None], *AGES], "postgres": [*AGES, [None]]}),
        ("select name = 'ANN' from guests where id = 1", {"mysql": [["1"]], "postgres": [["f"]]}),
    ],
)  # fmt: skip
def test_rows_are_chosen_joined_and_grouped(dialect: str, sql: str, rows: Any):
    expected = rows[dialect] if isinstance(rows, dict) else rows

    assert Database(dialect).with_guests().rows(sql) == expected


@BOTH
@pytest.mark.parametrize(
    ("sql", "mysql", "postgres"),
    [
        ("select * from nope", "Table 'shop.nope' doesn't exist", 'relation "nope" does not exist'),
        ("select nope from guests", "Unknown column 'nope' in 'field list'", 'column "nope" does not exist'),
        ("insert into guests (name, age) values ('x', 30)", "Duplicate entry '30' for key 'guests.age'",
         'duplicate key value violates unique constraint "guests_age_key"'),
        ("insert into guests (age) values (1)", "Field 'name' doesn't have a default value",
         'null value in column "name" of relation "guests" violates not-null constraint'),
        ("insert into guests (name, age) values ('x', 'y')", "Incorrect integer value: 'y' for column 'age' at row 1",
         'invalid input syntax for type integer: "y"'),
        ("insert into guests values (1)", "Column count doesn't match value count at row 1",
         'null value in column "name" of relation "guests" violates not-null constraint'),
        ("select name, count(*) from guests group by age", "Expression #1 of SELECT list is not in GROUP BY clause and"
         " contains nonaggregated column 'shop.guests.name' which is not functionally dependent on columns in GROUP BY"
         " clause; this is incompatible with sql_mode=only_full_group_by",
         'column "guests.name" must appear in the GROUP BY clause or be used in an aggregate function'),
        ("selct 1", "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server"
                    " version for"
         " the right syntax to use near 'selct 1' at line 1", 'syntax error at or near "selct"'),
        ("create view v as select 1", "This version of MySQL doesn't yet support 'orrery: CREATE VIEW'",
         "orrery: CREATE VIEW is not modelled"),
        ("create table guests (id int)", "Table 'guests' already exists", 'relation "guests" already exists'),
        ("select a.id from guests a, guests b, guests c, guests d, guests e, guests f, guests g, guests h, guests i,"
         " guests j, guests k", "Query execution was interrupted, maximum statement execution time exceeded",
         "canceling statement due to statement timeout"),
    ],
)  # fmt: skip
def test_refusals_have_the_servers_own_words(dialect: str, sql: str, mysql: str, postgres: str):
    database = Database(dialect).with_guests()

    assert database.error(sql) == {"mysql": mysql, "postgres": postgres}[dialect]
    assert database.rows("select count(*) from guests") == [["3"]]


@BOTH
def test_a_statement_that_fails_changes_nothing(dialect: str):
    database = Database(dialect).with_guests()

    assert database.error("insert into guests (name, age) values ('x', 1), ('y', 20)")
    assert database.error("update guests set age = 5")
    assert database.rows("select count(*) from guests where age in (1, 5)") == [["0"]]


@BOTH
def test_a_transaction_is_seen_by_others_when_it_commits(dialect: str):
    database = Database(dialect).with_guests()
    database.rows("begin", "a")
    database.rows("delete from guests where id = 1", "a")

    assert database.rows("select count(*) from guests", "a") == [["2"]]
    assert database.rows("select count(*) from guests", "b") == [["3"]]
    database.rows("commit", "a")
    assert database.rows("select count(*) from guests", "b") == [["2"]]


@BOTH
def test_who_commits_second_after_a_change_to_the_same_table_is_refused(dialect: str):
    database = Database(dialect).with_guests()
    for session in ("a", "b"):
        database.rows("begin", session)
        database.rows(f"update guests set name = '{session}' where id = 1", session)
    database.rows("commit", "a")

    said = {"mysql": "Deadlock found when trying to get lock; try restarting transaction",
            "postgres": "could not serialize access due to concurrent update"}  # fmt: skip
    assert database.error("commit", "b") == said[dialect]
    assert database.rows("select name from guests where id = 1") == [["a"]]


@BOTH
def test_children_go_with_their_parents_or_hold_them(dialect: str):
    database = Database(dialect).with_guests()
    for name, action in (("held", ""), ("gone", "on delete cascade")):
        database.rows(f"create table {name} (guest int, foreign key (guest) references guests (id) {action})")
        database.rows(f"insert into {name} values (1)")

    assert "foreign key constraint" in database.error("delete from guests where id = 1")
    assert database.rows("select * from gone") == [["1"]]
    database.rows("delete from held")
    database.rows("delete from guests where id = 1")
    assert database.rows("select * from gone") == []


@BOTH
def test_accents_are_characters(dialect: str):
    database = Database(dialect).with_guests()
    given = "insert into guests (name) values ('José Antônio Conceiç')"  # Twenty characters.
    database.rows(given.encode().decode("latin-1"))

    found = database.rows("select upper(name), char_length(name) from guests where id = 4")[0]

    assert [(found[0] or "").encode("latin-1").decode(), found[1]] == ["JOSÉ ANTÔNIO CONCEIÇ", "20"]


def test_a_mysql_user_sees_what_was_granted():
    database = Database("mysql").with_guests()
    database.rows(
        "create database other; create user 'ann'@'%' identified by 'pw'; grant select on shop.* to 'ann'@'%'"
    )
    about = {"user": "ann", "password": "pw", "local": True}

    seen = server.answer(database.place, "mysql", database.directory, {**about, "sql": "show databases"})
    refused = server.answer(database.place, "mysql", database.directory, {**about, "sql": "use other"})

    assert seen["results"][0]["rows"] == [["information_schema"], ["performance_schema"], ["shop"]]
    assert refused["error"]["text"] == "Access denied for user 'ann'@'%' to database 'other'"


def test_a_table_is_a_file_where_the_server_keeps_it():
    mysql, postgres = Database("mysql").with_guests(), Database("postgres").with_guests()

    assert "guests.ibd" in mysql.place.files.listing("/var/lib/mysql/shop")
    assert postgres.place.files.read("/var/lib/postgresql/data/PG_VERSION") == "17\n"
    assert "16386" in postgres.place.files.listing("/var/lib/postgresql/data/base/16385")


WORDS = st.sampled_from((
    "select", "from", "guests", "*", "(", ")", ",", "id", "name", "where", "=", "1", "'x'", "null", "and", "or", "not",
    "group by", "order by", "limit", "count(*)", "sum(age)", "insert into", "values", "update", "set", "delete",
    "create",
    "table", "int", "primary key", "join", "on", "in", "like", "between", "case", "when", "then", "end", "alter",
    "add",
    "drop", "column", "is", "-", "/", "0", ".", ";", "union", "exists", "distinct", "now()", "cast(id as char)", "as",
    "x",
    "begin", "rollback", "default",
    "interval 1 day", "'2026-01-01'", "date", "returning", "with", "having", "||", "::int",
))  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["mysql", "postgres"]), st.lists(WORDS, max_size=14))
def test_any_words_get_an_answer(dialect: str, words: list[str]):
    answer = Database(dialect).with_guests().ask(" ".join(words))

    assert "results" in answer


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["mysql", "postgres"]), st.text(max_size=60))
def test_any_text_gets_an_answer(dialect: str, text: str):
    assert "results" in Database(dialect).ask(text.encode("utf-8", "replace").decode("latin-1"))


@pytest.mark.parametrize(
    "module",
    ["servers.sql.parsing", "servers.sql.values", "servers.sql.expressions", "servers.mongo", "commands.tables",
     "commands.rediscli", "commands.mongosh"],
)  # fmt: skip
def test_examples_are_true(module: str):
    assert doctest.testmod(import_module(f"cluster.runtime.live.{module}")).failed == 0


@BOTH
def test_a_request_of_many_statements_ends_when_the_server_has_done_enough(dialect: str) -> None:
    database = Database(dialect).with_guests()
    database.rows("insert into guests (name) values " + ",".join(["('x')"] * 3000))

    answer = database.ask(";".join(["select count(*) from guests"] * 500))

    assert 50 < len(answer["results"]) < 200
    assert "timeout" in answer["error"]["text"] or "execution time exceeded" in answer["error"]["text"]


@BOTH
def test_statements_beyond_the_most_that_a_request_may_have_are_refused_not_forgotten(dialect: str) -> None:
    answer = Database(dialect).ask(";".join(["select 1"] * (server.MOST_STATEMENTS + 1)))

    assert len(answer["results"]) == server.MOST_STATEMENTS
    assert "error" in answer


@BOTH
def test_a_server_tells_its_client_how_much_it_had_to_do(dialect: str) -> None:
    database = Database(dialect).with_guests()
    database.rows("insert into guests (name) values " + ",".join(["('x')"] * 300))

    assert database.ask("select count(*) from guests a, guests b")["work"] > 90_000
    assert database.ask("select 1")["work"] < 2_000


@BOTH
@pytest.mark.parametrize("statement", ["create table t{n} (id int, a text)", "select 1" + " + 1" * 50 + " + {n}"])
def test_reading_and_making_take_their_part_of_a_request(dialect: str, statement: str) -> None:
    few = Database(dialect).ask(";".join(statement.format(n=n) for n in range(10)))
    many = Database(dialect).ask(";".join(statement.format(n=n) for n in range(490)))

    assert few["work"] > 10_000
    assert many["work"] > 20 * few["work"]
    assert ("error" in many) == statement.startswith("select")
