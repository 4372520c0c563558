"""How the clients in our containers talk to the servers in others: one exchange is a whole connection.

    request     MARK, then JSON: who, with what password, to which database, and what is to be done
    answer      JSON

A connection of the model is one message and one answer, so what a session has is sent along: its database, and the
number under which the server keeps an open transaction. What real clients send (through port-forward) begins
otherwise.
"""

from typing import Any

import orjson

MARK = "\x00orrery\x00"


def request(**fields: Any) -> str:
    return MARK + orjson.dumps(fields).decode("latin-1")


def asked(given: str) -> dict[str, Any] | None:
    """The fields of a request; None: it is none of ours."""
    if not given.startswith(MARK):
        return None
    try:
        found = orjson.loads(given[len(MARK) :].encode("latin-1", "replace"))
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def answered(answer: str) -> dict[str, Any] | None:
    """The fields of an answer; None: whoever answered speaks something else."""
    try:
        found = orjson.loads(answer.encode("latin-1", "replace"))
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def said(fields: dict[str, Any]) -> str:
    return orjson.dumps(fields).decode("latin-1")
