"""redis' protocol: replies, and commands as they come."""

MOST_HEAD = 64 * 1024
WRONG_TYPE = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
NOT_INTEGER = "-ERR value is not an integer or out of range\r\n"
READ_ONLY = "-READONLY You can't write against a read only replica.\r\n"
SYNTAX = "-ERR syntax error\r\n"
OK, NIL, EMPTY = "+OK\r\n", "$-1\r\n", "*0\r\n"


class Refused(Exception):
    """`str()` is the whole reply."""


def bulk(text: str | None) -> str:
    return NIL if text is None else f"${len(text)}\r\n{text}\r\n"


def integer(value: int) -> str:
    return f":{value}\r\n"


def several(values: "list[str] | list[str | None]") -> str:
    return f"*{len(values)}\r\n" + "".join(bulk(value) for value in values)


def request(*words: str) -> str:
    """A command as a client sends it."""
    return several(list(words))


def command(given: str) -> tuple[list[str], int]:
    """(words, characters used) of what a client sent; 0: more has to come."""
    end = given.find("\r\n") if given[:1] == "*" else given.find("\n")
    if end < 0:
        return [], 0 if len(given) < MOST_HEAD else len(given)
    if given[:1] != "*":
        return given[:end].split(), end + 1
    count, at = given[1:end], end + 2
    words: list[str] = []
    if not count.isdecimal() or len(count) > 5:
        return [], len(given)
    for _ in range(int(count)):
        end = given.find("\r\n", at)
        if end < 0:
            return [], 0
        size = given[at + 1 : end]
        if given[at : at + 1] != "$" or not size.isdecimal() or len(size) > 7:
            return [], len(given)
        at = end + 2 + int(size) + 2
        if at > len(given):
            return [], 0
        words.append(given[end + 2 : at - 2])
    return words, at
