"""Timestamps as the API writes them. Unit everywhere: microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(us: int) -> str:
    """metav1.Time: whole seconds.

    >>> rfc3339(1_500_000)
    '1970-01-01T00:00:01Z'
    """
    return (_EPOCH + timedelta(seconds=us // SECOND)).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_micro(us: int) -> str:
    """metav1.MicroTime: always six digits.

    >>> rfc3339_micro(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return (_EPOCH + timedelta(microseconds=us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@lru_cache(maxsize=4096)
def parse(stamp: str) -> int:
    """Microseconds of an RFC 3339 stamp. Errors: ValueError.

    >>> parse("1970-01-01T00:00:01Z"), parse("1970-01-01T01:00:01.5+01:00")
    (1000000, 1500000)
    """
    moment = datetime.fromisoformat(stamp)
    if moment.tzinfo is None:
        raise ValueError(f"time {stamp!r} has no zone")
    return (moment - _EPOCH) // timedelta(microseconds=1)
