"""SQL for the servers that speak it: mysql, mariadb and postgres, each in its own dialect and with its own words.

    server.py       a request of a client: who is it, what may it, its statements, its transaction
    parsing.py      text to statements: sqlglot's trees, and the few things it has no tree for
    definitions.py  create, alter, drop
    changes.py      insert, update, delete, and what constraints say to it
    queries.py      select: joins, groups, order, set operations
    scope.py        what an expression sees; expressions.py, functions.py: what it is worth
    store.py        tables in files of the container: JSON, one file a table
    values.py       types: what goes in, what comes out; columns.py: as somebody wrote them
    errors.py       what is said when something does not go
    catalogs.py     show, describe, psql's \\d

sqlglot parses and nothing more: its executor compiles Python, which nothing that a user types may reach. See
docs/decisions/0020-databases.md.

Left out: views, procedures, triggers, window functions, arrays, sequences of their own, prepared statements, locks
          (transactions are snapshots; who commits second after a change to the same table is refused), privileges on
          tables, collations other than the default, time zones other than UTC.
Limits:   64 KiB a statement, texts of 1 MiB, 200,000 steps of evaluation, 10,000 rows a result, 60 levels of nesting,
          500 statements and 1,000,000 steps and values of tables a request, 16 open transactions a
          server, and what files.py says of a disk.
Read next: server.py.
"""
