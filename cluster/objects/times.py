"""Timestamps as the API writes them. Unit everywhere: microseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN_EPOCH = datetime(1970, 1, 1)  # The same without a zone: its ISO form needs no cutting.


def rfc3339(us: int) -> str:
    """metav1.Time: whole seconds.

    >>> rfc3339(1_500_000), rfc3339(-62135596800_000_000)
    ('1970-01-01T00:00:01Z', '0001-01-01T00:00:00Z')
    """
    return (_PLAIN_EPOCH + timedelta(seconds=us // SECOND)).isoformat() + "Z"


def rfc3339_micro(us: int) -> str:
    """metav1.MicroTime: always six digits.

    >>> rfc3339_micro(1_500_000)
    '1970-01-01T00:00:01.500000Z'
    """
    return (_PLAIN_EPOCH + timedelta(microseconds=us)).isoformat(timespec="microseconds") + "Z"


def rfc3339_in(us: int, zone: tzinfo) -> str:
    """Whole seconds on the clocks of a zone."""
    text = (_EPOCH + timedelta(seconds=us // SECOND)).astimezone(zone).isoformat()
    return text.replace("+00:00", "Z")


def formatted(us: int, layout: str) -> str:
    """As `strftime` writes it, in UTC."""
    return (_EPOCH + timedelta(seconds=us // SECOND)).strftime(layout)


@lru_cache(maxsize=4096)
def parse(stamp: str) -> int:
    """Microseconds of an RFC 3339 stamp. Errors: ValueError, also for what is before year 1 or after 9999 in UTC.

    >>> parse("1970-01-01T00:00:01Z"), parse("1970-01-01T01:00:01.5+01:00")
    (1000000, 1500000)
    """
    moment = datetime.fromisoformat(stamp)
    if moment.tzinfo is None:
        raise ValueError(f"time {stamp!r} has no zone")
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"year of {stamp!r} is out of range in UTC") from None
    return (moment - _EPOCH) // timedelta(microseconds=1)
