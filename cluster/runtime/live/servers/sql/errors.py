"""What servers say when they refuse: one name each, and MySQL's and PostgreSQL's number, state and words for it.

Mirrors:  MySQL 8.4's messages_to_clients.txt; PostgreSQL 18's errcodes.txt and ereport texts
"""

from typing import NamedTuple

MYSQL, POSTGRES = "mysql", "postgres"


class Words(NamedTuple):
    """`number`, `state`, `mysql`: MySQL's; `code`, `postgres`: PostgreSQL's, with DETAIL and HINT."""

    number: int
    state: str
    mysql: str
    code: str
    postgres: str
    detail: str = ""
    hint: str = ""


NEAR = (
    "You have an error in your SQL syntax; check the manual that corresponds to your {server} server version for the"
    " right syntax to use near '{near}' at line {line}"
)
FULL_GROUP = (
    "Expression #{place} of SELECT list is not in GROUP BY clause and contains nonaggregated column '{full}' which is"
    " not functionally dependent on columns in GROUP BY clause; this is incompatible with sql_mode=only_full_group_by"
)
ERRORS: dict[str, Words] = {
    "syntax": Words(1064, "42000", NEAR, "42601", "syntax error at {token}"),
    "unsupported": Words(
        1235, "42000", "This version of MySQL doesn't yet support 'orrery: {what}'", "0A000",
        "orrery: {what} is not modelled",
    ),
    "no table": Words(
        1146, "42S02", "Table '{database}.{table}' doesn't exist", "42P01", 'relation "{table}" does not exist'
    ),
    "no table to drop": Words(
        1051, "42S02", "Unknown table '{database}.{table}'", "42P01", 'table "{table}" does not exist'
    ),
    "table exists": Words(1050, "42S01", "Table '{table}' already exists", "42P07", 'relation "{table}" already'
    ' exists'),
    "no database": Words(1049, "42000", "Unknown database '{database}'", "3D000", 'database "{database}" does not'
    ' exist'),
    "database exists": Words(
        1007, "HY000", "Can't create database '{database}'; database exists", "42P04",
        'database "{database}" already exists',
    ),
    "no database to drop": Words(
        1008, "HY000", "Can't drop database '{database}'; database doesn't exist", "3D000",
        'database "{database}" does not exist',
    ),
    "open database": Words(1105, "HY000", "", "55006", "cannot drop the currently open database"),
    "none selected": Words(1046, "3D000", "No database selected", "3D000", "no database selected"),
    "no column": Words(
        1054, "42S22", "Unknown column '{column}' in '{where}'", "42703", "column {quoted} does not exist"
    ),
    "no column of": Words(
        1054, "42S22", "Unknown column '{column}' in '{where}'", "42703",
        'column "{column}" of relation "{table}" does not exist',
    ),
    "no from": Words(
        1054, "42S22", "Unknown column '{column}' in '{where}'", "42P01", 'missing FROM-clause entry for table'
        ' "{table}"'
    ),
    "ambiguous": Words(
        1052, "23000", "Column '{column}' in {where} is ambiguous", "42702", 'column reference "{column}" is ambiguous'
    ),
    "same alias": Words(
        1066, "42000", "Not unique table/alias: '{table}'", "42712", 'table name "{table}" specified more than once'
    ),
    "same column": Words(
        1060, "42S21", "Duplicate column name '{column}'", "42701",
        'column "{column}" of relation "{table}" already exists',
    ),
    "duplicate": Words(
        1062, "23000", "Duplicate entry '{values}' for key '{table}.{key}'", "23505",
        'duplicate key value violates unique constraint "{constraint}"', "Key ({columns})=({listed}) already exists.",
    ),
    "null": Words(
        1048, "23000", "Column '{column}' cannot be null", "23502",
        'null value in column "{column}" of relation "{table}" violates not-null constraint',
        "Failing row contains ({row}).",
    ),
    "no default": Words(
        1364, "HY000", "Field '{column}' doesn't have a default value", "23502",
        'null value in column "{column}" of relation "{table}" violates not-null constraint',
        "Failing row contains ({row}).",
    ),
    "check": Words(
        3819, "HY000", "Check constraint '{constraint}' is violated.", "23514",
        'new row for relation "{table}" violates check constraint "{constraint}"', "Failing row contains ({row}).",
    ),
    "no parent": Words(
        1452, "23000", "Cannot add or update a child row: a foreign key constraint fails ({full})", "23503",
        'insert or update on table "{table}" violates foreign key constraint "{constraint}"',
        'Key ({columns})=({listed}) is not present in table "{other}".',
    ),
    "has children": Words(
        1451, "23000", "Cannot delete or update a parent row: a foreign key constraint fails ({full})", "23503",
        'update or delete on table "{other}" violates foreign key constraint "{constraint}" on table "{table}"',
        'Key ({columns})=({listed}) is still referenced from table "{table}".',
    ),
    "referenced": Words(
        3730, "HY000", "Cannot drop table '{other}' referenced by a foreign key constraint '{constraint}' on table"
        " '{table}'.", "2BP01", "cannot drop table {other} because other objects depend on it",
        "constraint {constraint} on table {table} depends on table {other}",
        "Use DROP ... CASCADE to drop the dependent objects too.",
    ),
    "too many values": Words(
        1136, "21S01", "Column count doesn't match value count at row {row}", "42601",
        "INSERT has more expressions than target columns",
    ),
    "too few values": Words(
        1136, "21S01", "Column count doesn't match value count at row {row}", "42601",
        "INSERT has more target columns than expressions",
    ),
    "not a number": Words(
        1366, "HY000", "Incorrect {kind} value: '{value}' for column '{column}' at row {row}", "22P02",
        'invalid input syntax for type {type}: "{value}"',
    ),
    "not a time": Words(
        1292, "22007", "Incorrect {kind} value: '{value}' for column '{column}' at row {row}", "22007",
        'invalid input syntax for type {type}: "{value}"',
    ),
    "not one of": Words(
        1265, "01000", "Data truncated for column '{column}' at row {row}", "22P02",
        'invalid input value for enum {type}: "{value}"',
    ),
    "bad json": Words(
        3140, "22032", 'Invalid JSON text: "Invalid value." at position 0 in value for column \'{table}.{column}\'.',
        "22P02", "invalid input syntax for type json",
    ),
    "too long": Words(
        1406, "22001", "Data too long for column '{column}' at row {row}", "22001", "value too long for type {type}"
    ),
    "out of range": Words(
        1264, "22003", "Out of range value for column '{column}' at row {row}", "22003", "{type} out of range"
    ),
    "wrong type": Words(
        1366, "HY000", "Incorrect {kind} value: '{value}' for column '{column}' at row {row}", "42804",
        'column "{column}" is of type {type} but expression is of type {given}', "",
        "You will need to rewrite or cast the expression.",
    ),
    "no operator": Words(
        1210, "HY000", "Incorrect arguments to {name}", "42883", "operator does not exist: {left} {name} {right}", "",
        "No operator matches the given name and argument types. You might need to add explicit type casts.",
    ),
    "division": Words(1365, "22012", "Division by 0", "22012", "division by zero"),
    "no function": Words(
        1305, "42000", "FUNCTION {database}.{name} does not exist", "42883", "function {name}({types}) does not exist",
        "", "No function matches the given name and argument types. You might need to add explicit type casts.",
    ),
    "arguments": Words(
        1582, "42000", "Incorrect parameter count in the call to native function '{name}'", "42883",
        "function {name}({types}) does not exist", "",
        "No function matches the given name and argument types. You might need to add explicit type casts.",
    ),
    "group": Words(
        1055, "42000", FULL_GROUP, "42803",
        'column "{full}" must appear in the GROUP BY clause or be used in an aggregate function',
    ),
    "mixed": Words(
        1140, "42000", "In aggregated query without GROUP BY, expression #{place} of SELECT list contains nonaggregated"
        " column '{full}'; this is incompatible with sql_mode=only_full_group_by", "42803",
        'column "{full}" must appear in the GROUP BY clause or be used in an aggregate function',
    ),
    "aggregate": Words(
        1111, "HY000", "Invalid use of group function", "42803", "aggregate functions are not allowed in {where}"
    ),
    "several rows": Words(
        1242, "21000", "Subquery returns more than 1 row", "21000",
        "more than one row returned by a subquery used as an expression",
    ),
    "several columns": Words(
        1241, "21000", "Operand should contain 1 column(s)", "42601", "subquery must return only one column"
    ),
    "union": Words(
        1222, "21000", "The used SELECT statements have a different number of columns", "42601",
        "each UNION query must have the same number of columns",
    ),
    "place": Words(
        1054, "42S22", "Unknown column '{place}' in '{where}'", "42P10",
        "{clause} position {place} is not in select list",
    ),
    "many keys": Words(
        1068, "42000", "Multiple primary key defined", "42P16", 'multiple primary keys for table "{table}" are not'
                                                                ' allowed'
    ),
    "auto key": Words(
        1075, "42000", "Incorrect table definition; there can be only one auto column and it must be defined as a key",
        "42601", "",
    ),
    "no such key": Words(
        1072, "42000", "Key column '{column}' doesn't exist in table", "42703",
        'column "{column}" named in key does not exist',
    ),
    "index exists": Words(
        1061, "42000", "Duplicate key name '{index}'", "42P07", 'relation "{index}" already exists'
    ),
    "no index": Words(
        1091, "42000", "Can't DROP '{index}'; check that column/key exists", "42704", 'index "{index}" does not exist'
    ),
    "cannot drop": Words(
        1091, "42000", "Can't DROP '{column}'; check that column/key exists", "42703",
        'column "{column}" of relation "{table}" does not exist',
    ),
    "no other": Words(
        1824, "HY000", "Failed to open the referenced table '{table}'", "42P01", 'relation "{table}" does not exist'
    ),
    "no unique": Words(
        6125, "HY000", "Failed to add the foreign key constraint. Missing unique key for constraint '{constraint}' in"
                       " the"
        " referenced table '{other}'", "42830",
        'there is no unique constraint matching given keys for referenced table "{other}"',
    ),
    "too complex": Words(
        1436, "HY000", "Thread stack overrun: {depth} levels are too many for this statement", "54001",
        "stack depth limit exceeded",
    ),
    "too much": Words(
        3024, "HY000", "Query execution was interrupted, maximum statement execution time exceeded", "57014",
        "canceling statement due to statement timeout",
    ),
    "full": Words(
        1114, "HY000", "The table '{table}' is full", "53100",
        'could not extend file "{file}": No space left on device', "", "Check free disk space.",
    ),
    "read only": Words(
        1036, "HY000", "Table '{table}' is read only", "42501", 'could not open file "{file}": Read-only file system'
    ),
    "gone": Words(
        1030, "HY000", "Got error 168 - 'Unknown (generic) error from engine' from storage engine", "58P01",
        'could not open file "{file}": No such file or directory',
    ),
    "conflict": Words(
        1213, "40001", "Deadlock found when trying to get lock; try restarting transaction", "40001",
        "could not serialize access due to concurrent update",
    ),
    "aborted": Words(
        1105, "HY000", "", "25P02",
        "current transaction is aborted, commands ignored until end of transaction block",
    ),
    "in transaction": Words(1105, "HY000", "", "25001", "{command} cannot run inside a transaction block"),
    "too many": Words(
        1040, "08004", "Too many connections", "53300", "sorry, too many clients already",
    ),
    "denied": Words(
        1045, "28000", "Access denied for user '{user}'@'{host}' (using password: {using})", "28P01",
        'password authentication failed for user "{user}"',
    ),
    "denied database": Words(
        1044, "42000", "Access denied for user '{user}'@'{host}' to database '{database}'", "42501",
        'permission denied for database "{database}"',
    ),
    "denied server": Words(
        1227, "42000", "Access denied; you need (at least one of) the {what} privilege(s) for this operation", "42501",
        "permission denied to {what}",
    ),
    "no role": Words(1045, "28000", "", "28000", 'role "{user}" does not exist'),
    "no user": Words(
        1396, "HY000", "Operation {operation} failed for '{user}'@'{host}'", "42704", 'role "{user}" does not exist'
    ),
    "user exists": Words(
        1396, "HY000", "Operation {operation} failed for '{user}'@'{host}'", "42710", 'role "{user}" already exists'
    ),
    "no variable": Words(
        1193, "HY000", "Unknown system variable '{name}'", "42704", 'unrecognized configuration parameter "{name}"'
    ),
}  # fmt: skip


class SqlError(Exception):
    """`name` of ERRORS; `facts`: what its words name; `at`: the place in the statement, where a client points."""

    def __init__(self, error: str, at: int | None = None, **facts: object) -> None:
        super().__init__(error)
        self.name, self.at, self.facts = error, at, facts

    def words(self, dialect: str) -> Words:
        """With everything filled in."""
        words = ERRORS[self.name]
        facts = {"server": "MySQL", **self.facts}
        wanted = (words.mysql,) if dialect == MYSQL else (words.postgres, words.detail, words.hint)
        filled = [text.format_map(_Known(facts)) for text in wanted]
        if dialect == MYSQL:
            return words._replace(mysql=filled[0])
        return words._replace(postgres=filled[0], detail=filled[1], hint=filled[2])


class _Known(dict[str, object]):
    def __missing__(self, name: str) -> str:
        return "?"
