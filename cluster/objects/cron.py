"""Cron schedules: `*/5 9-17 * * 1-5`, `@daily`, `@every 90s`; when they come next, and what is wrong with bad ones.

    minute  hour  day of month  month  day of week        lists, ranges, steps; names of months and days

A day must fit both day fields, unless both are restricted: then either will do. That is how cron has always been.

Source:   github.com/robfig/cron/v3 (parser.go, spec.go), which CronJobs are read with
Left out: seconds, which CronJobs do not have.
"""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cluster.objects.times import SECOND

MINUTE = 60 * SECOND
YEARS_AHEAD = 5  # A schedule that does not come within these never comes: the 30th of February.
MAX_LENGTH = 1024  # Characters of a schedule that are looked at.
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_DESCRIPTORS = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_DURATION = re.compile(r"([0-9]{1,18}(?:\.[0-9]{0,18})?|\.[0-9]{1,18})(ns|us|µs|ms|s|m|h)")
_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")


class _Field(NamedTuple):
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (_Field(0, 59, {}), _Field(0, 23, {}), _Field(1, 31, {}), _Field(1, 12, _MONTHS), _Field(0, 6, _DAYS))


class Schedule(NamedTuple):
    """Values of the five fields. `every`: microseconds between two times, 0 for a real schedule."""

    minutes: tuple[int, ...] = ()
    hours: tuple[int, ...] = ()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()
    any_day: bool = False
    any_weekday: bool = False
    every: int = 0

    def next(self, after: int, zone: tzinfo = UTC) -> int | None:
        """The first time after `after`; both in microseconds since 1970. None: it never comes."""
        if self.every:
            return after // SECOND * SECOND + self.every
        begin = datetime.fromtimestamp(after // SECOND, zone).replace(second=0) + timedelta(minutes=1)
        day, last = begin.date(), begin.year + YEARS_AHEAD
        while day.year <= last:
            if day.month not in self.months:
                day = day.replace(day=1) + timedelta(days=monthrange(day.year, day.month)[1])
                continue
            if self._is_due(day.day, (day.weekday() + 1) % 7):
                for hour in self.hours:
                    for minute in self.minutes:
                        moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                        found = int(moment.timestamp()) * SECOND
                        if found > after and datetime.fromtimestamp(found // SECOND, zone).hour == hour:
                            return found
            day += timedelta(days=1)
        return None

    def _is_due(self, day: int, weekday: int) -> bool:
        fits, falls = day in self.days, weekday in self.weekdays
        return (fits and falls) if self.any_day or self.any_weekday else (fits or falls)


@lru_cache(maxsize=1024)
def parse(text: str) -> Schedule:
    """The schedule. Errors: ValueError in the words of the real parser."""
    if not text:
        raise ValueError("empty spec string")
    if text.startswith(("TZ=", "CRON_TZ=")):
        location, _, text = text.partition(" ")
        zone(location.partition("=")[2])
        text = text.strip()
    if text.startswith("@"):
        return _described(text)
    given = text[:MAX_LENGTH].split()
    if len(given) != len(_FIELDS):
        raise ValueError(f"expected exactly {len(_FIELDS)} fields, found {len(given)}: [{' '.join(given)}]")
    values, stars = [], []
    for part, limits in zip(given, _FIELDS, strict=True):
        found, star = _values(part, limits)
        values.append(found)
        stars.append(star)
    minutes, hours = (tuple(sorted(found)) for found in values[:2])
    days, months, weekdays = (frozenset(found) for found in values[2:])
    return Schedule(minutes, hours, days, months, weekdays, stars[2], stars[4])


def _described(text: str) -> Schedule:
    if text in _DESCRIPTORS:
        return parse(_DESCRIPTORS[text])
    if text.startswith("@every "):
        return Schedule(every=max(SECOND, _duration(text.removeprefix("@every "), text) // SECOND * SECOND))
    raise ValueError(f"unrecognized descriptor: {text}")


def _duration(text: str, whole: str) -> int:
    """`1h30m` in microseconds."""
    parts, end, total = text.removeprefix("+"), 0, 0
    for match in _DURATION.finditer(parts):
        if match.start() != end:
            break
        end = match.end()
        total += int(float(match[1]) * _UNITS[match[2]])
    if end != len(parts) or not parts:
        raise ValueError(f'failed to parse duration {whole}: time: invalid duration "{text}"')
    return total // 1000


def _values(part: str, limits: _Field) -> tuple[set[int], bool]:
    """The numbers of one field, and whether it says that all are meant."""
    found: set[int] = set()
    star = False
    for item in filter(None, part.split(",")):
        numbers, all_of_them = _range(item, limits)
        found.update(numbers)
        star = star or all_of_them
    return found, star


def _range(item: str, limits: _Field) -> tuple[range, bool]:
    """`5`, `1-5`, `*`, `*/15`, `10/5`."""
    span, *steps = item.split("/")
    ends = span.split("-")
    star = ends[0] in ("*", "?")
    if star:
        low, high = limits.low, limits.high
    else:
        low = _number(ends[0], limits.names)
        if len(ends) > 2:
            raise ValueError(f"too many hyphens: {item}")
        high = _number(ends[1], limits.names) if len(ends) == 2 else low
    step = 1
    if len(steps) > 1:
        raise ValueError(f"too many slashes: {item}")
    if steps:
        step = _number(steps[0], {})
        if len(ends) == 1 and not star:
            high = limits.high
        star = star and step <= 1
    if low < limits.low:
        raise ValueError(f"beginning of range ({low}) below minimum ({limits.low}): {item}")
    if high > limits.high:
        raise ValueError(f"end of range ({high}) above maximum ({limits.high}): {item}")
    if low > high:
        raise ValueError(f"beginning of range ({low}) beyond end of range ({high}): {item}")
    if step == 0:
        raise ValueError(f"step of range should be a positive number: {item}")
    return range(low, high + 1, step), star


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    if int(text) < 0:
        raise ValueError(f"negative number ({int(text)}) not allowed: {text}")
    return int(text)


@lru_cache(maxsize=256)
def zone(name: str) -> tzinfo:
    """A time zone of the IANA's table. Errors: ValueError in Go's words."""
    if name in ("", "UTC"):
        return UTC
    if not all(_ZONE_PART.fullmatch(part) for part in name.split("/")) or ".." in name:
        raise ValueError(f"unknown time zone {name}")
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"unknown time zone {name}") from None
