"""Sets of completion indexes as Jobs write them: `0-2,5,7-9`.

Mirrors:  kubernetes/pkg/controller/job/indexed_job_utils.go (orderedIntervals), pkg/apis/batch/validation
"""

from collections.abc import Iterable

MAX_TEXT = 1_000_000  # Characters: an index that is listed alone in a Job of 100,000 takes less than seven.


def text_of(indexes: Iterable[int]) -> str:
    """`0-2,5`: two neighbours are still listed one by one.

    >>> text_of([5, 0, 2, 1, 8, 7])
    '0-2,5,7,8'
    """
    parts: list[str] = []
    for first, last in _runs(sorted(set(indexes))):
        parts.append(str(first) if first == last else f"{first}{',' if last == first + 1 else '-'}{last}")
    return ",".join(parts)


def _runs(ordered: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for index in ordered:
        if found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found


def parse(text: str, completions: int) -> list[int]:
    """The indexes below `completions` that `text` names, in order; what can't be read is left out."""
    found: list[int] = []
    for part in text[:MAX_TEXT].split(",") if text else []:
        first, _, last = part.partition("-")
        if first.isdigit() and (last.isdigit() or not last):
            found += range(int(first), min(int(last or first) + 1, completions))
    return found


def total(text: str, completions: int) -> int:
    """How many indexes `text` names. Errors: ValueError in the real words."""
    if not text:
        return 0
    count, previous = 0, -1
    for interval in text.split(","):
        limits = interval.split("-")
        if len(limits) > 2:
            rule = "an index interval can have at most two parts separated by '-'"
            raise ValueError(f'the fragment "{interval}" violates the requirement that {rule}')
        first = _index(limits[0], completions)
        if previous >= first:
            raise ValueError(f"non-increasing order, previous: {previous}, current: {first}")
        last = first
        if len(limits) == 2:
            last = _index(limits[1], completions)
            if first >= last:
                raise ValueError(f"non-increasing order, previous: {first}, current: {last}")
        count, previous = count + last - first + 1, last
    return count


def _index(text: str, completions: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise ValueError(f'cannot convert string to integer for index: "{text}"')
    if int(text) >= completions:
        raise ValueError(f'too large index: "{text}"')
    return int(text)
