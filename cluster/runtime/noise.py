"""Seeded noise: numbers that look random, are pure functions of integers, and can be asked for in any order.

`Dice` belongs to the world; programs are also computed far away from it (by the process that answers `kubectl
logs`), so all they have is the seed in their record.

Source: the finaliser of SplitMix64 (Steele, Lea, Flood 2014), a few shifts and multiplications.
"""

from hashlib import blake2b

WORD = (1 << 64) - 1


def mix(seed: int, *numbers: int) -> int:
    """64 well-mixed bits of `seed` and `numbers`."""
    state = seed & WORD
    for number in (0, *numbers):
        state = (state + 0x9E3779B97F4A7C15 + (number & WORD) * 0xD1B54A32D192ED03) & WORD
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & WORD
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & WORD
        state ^= state >> 31
    return state


def between(low: int, high: int, seed: int, *numbers: int) -> int:
    """An integer of [low, high]."""
    return low + mix(seed, *numbers) % (high - low + 1)


def smooth(at: int, period: int, seed: int) -> float:
    """A curve through random points of [-1, 1], one every `period`; the same from wherever it is read."""
    left, inside = divmod(at, period)
    part = inside / period
    ease = part * part * (3 - 2 * part)
    start, end = (mix(seed, point) / 2**63 - 1 for point in (left, left + 1))
    return start + (end - start) * ease


def hexadecimal(digits: int, seed: int, *numbers: int) -> str:
    """`digits` hex digits (at most 64), as container and image ids have them."""
    return blake2b(repr((seed, numbers)).encode(), digest_size=(digits + 1) // 2).hexdigest()[:digits]
