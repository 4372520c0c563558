"""What a statement gives back."""

from typing import Any, NamedTuple


class Result(NamedTuple):
    """`columns` None: no rows. `tag`: PostgreSQL's; `info`: MySQL's line below. `database`: it was changed to."""

    tag: str = ""
    columns: list[str] | None = None
    rows: list[list[Any]] = []
    affected: int = 0
    info: str = ""
    insert_id: int = 0
    database: str | None = None
    notices: tuple[str, ...] = ()
    said: str = ""  # A title above the rows, or a text instead of them: psql's \d.
    after: str = ""
