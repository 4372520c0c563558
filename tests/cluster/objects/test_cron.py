"""Cron schedules: when they come next, and what is said of bad ones."""

import re
from zoneinfo import ZoneInfo

import pytest

from cluster.objects import cron, times

START = "2026-11-24T02:20:30Z"  # A Tuesday.


@pytest.mark.parametrize(
    ("schedule", "next_"),
    [
        ("* * * * *", "2026-11-24T02:21:00Z"),
        ("*/15 * * * *", "2026-11-24T02:30:00Z"),
        ("20 2 * * *", "2026-11-25T02:20:00Z"),
        ("0 9-17/4 * * mon-fri", "2026-11-24T09:00:00Z"),
        ("0 0 1 jan *", "2027-01-01T00:00:00Z"),
        ("0 0 29 2 *", "2028-02-29T00:00:00Z"),
        ("0 0 1 * 6", "2026-11-28T00:00:00Z"),  # The first, or a Saturday.
        ("0 0 */2 * 6", "2026-11-25T00:00:00Z"),  # Both restricted: a Saturday or an odd day.
        ("@daily", "2026-11-25T00:00:00Z"),
        ("@every 90s", "2026-11-24T02:22:00Z"),
    ],
)
def test_a_schedule_knows_when_it_comes_next(schedule, next_):
    found = cron.parse(schedule).next(times.parse(START))

    assert times.rfc3339(found) == next_


def test_a_schedule_follows_the_clocks_of_its_zone():
    tokyo = cron.parse("0 9 * * *").next(times.parse(START), ZoneInfo("Asia/Tokyo"))

    assert times.rfc3339(tokyo) == "2026-11-25T00:00:00Z"


def test_a_day_that_never_comes_is_not_waited_for():
    assert cron.parse("0 0 30 2 *").next(times.parse(START)) is None


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("", "empty spec string"),
        ("a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("@never", "unrecognized descriptor: @never"),
    ],
)
def test_a_bad_schedule_is_refused_in_the_real_words(schedule, problem):
    with pytest.raises(ValueError, match=f"^{re.escape(problem)}$"):
        cron.parse(schedule)
