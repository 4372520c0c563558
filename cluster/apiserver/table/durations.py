"""Ages as kubectl prints them: `5s`, `3m20s`, `4h`, `2d6h`.

Mirrors:  k8s.io/apimachinery/pkg/util/duration (HumanDuration)
"""

from cluster.objects import times

MINUTE, HOUR, DAY, YEAR = 60, 3600, 86_400, 365 * 86_400


def human(us: int) -> str:
    """A length of time in at most two units. Unit in: microseconds.

    >>> human(119_000_000), human(125_000_000), human(20 * 60_000_000), human(30 * 3600_000_000)
    ('119s', '2m5s', '20m', '30h')
    """
    seconds = abs(us) // times.SECOND * (1 if us >= 0 else -1)
    if seconds < -1:
        return "<invalid>"
    if seconds < 0:
        return "0s"
    if seconds < 2 * MINUTE:
        return f"{seconds}s"
    if seconds < 10 * MINUTE:
        return _pair(seconds // MINUTE, "m", seconds % MINUTE, "s")
    if seconds < 3 * HOUR:
        return f"{seconds // MINUTE}m"
    if seconds < 8 * HOUR:
        return _pair(seconds // HOUR, "h", seconds % HOUR // MINUTE, "m")
    if seconds < 2 * DAY:
        return f"{seconds // HOUR}h"
    if seconds < 8 * DAY:
        return _pair(seconds // DAY, "d", seconds % DAY // HOUR, "h")
    if seconds < 2 * YEAR:
        return f"{seconds // DAY}d"
    if seconds < 8 * YEAR:
        return _pair(seconds // YEAR, "y", seconds % YEAR // DAY, "d")
    return f"{seconds // YEAR}y"


def _pair(large: int, unit: str, small: int, small_unit: str) -> str:
    return f"{large}{unit}{small}{small_unit}" if small else f"{large}{unit}"


def since(stamp: str | None, now: int) -> str:
    """How long ago `stamp` (RFC 3339) was. `now`: microseconds since 1970."""
    return human(now - times.parse(stamp)) if stamp else "<unknown>"
