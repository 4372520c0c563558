"""How fast may an autoscaler go? What was recommended lately, and what was changed lately, hold it back.

    stabilized   on the way down the highest recommendation of the last five minutes counts (on the way up, with a
                 behavior, the lowest of its window)
    limited      without a behavior: at most twice as many, or four; with one: what its policies allow per period
    bounded      between minReplicas and maxReplicas

Pure functions of a history: `recommendations` [[time, replicas]], `up` and `down` [[time, pods changed]], times in
microseconds since 1970. The newest is the last.

Mirrors:  kubernetes/pkg/controller/podautoscaler/horizontal.go (normalizeDesiredReplicas… and below)
Read next: horizontalpodautoscaler.py.
"""

from fractions import Fraction
from typing import Any, NamedTuple

from cluster.engine.clock import SECOND
from cluster.objects import Manifest

DOWN_WINDOW = 300  # Seconds in which a higher recommendation holds back a lower one.
HISTORY_LIMIT = 1_000  # Recommendations and changes remembered of one autoscaler; its oldest are forgotten first.
LONGEST_PERIOD = 1_800
UP_FACTOR, UP_LEAST = 2, 4

WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
FAST_UP = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
FAST_DOWN = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
FITS = ("ReadyForNewScale", "recommended size matches current size")
HELD_DOWN = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
HELD_UP = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)

History = dict[str, list[list[int]]]


class Limited(NamedTuple):
    """`replicas` to have. `held`, `bounded`: (reason, message) of AbleToScale and of ScalingLimited."""

    replicas: int
    held: tuple[str, str]
    bounded: tuple[str, str]
    is_limited: bool


def nothing() -> History:
    return {"recommendations": [], "up": [], "down": []}


def limit(spec: Manifest, history: History, current: int, wanted: int, now: int) -> tuple[Limited, History]:
    """What of `wanted` may be done now, and the history with this recommendation."""
    behavior = spec.get("behavior")
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    up_window = (behavior or {}).get("scaleUp", {}).get("stabilizationWindowSeconds") or 0
    down_window = (behavior or {}).get("scaleDown", {}).get("stabilizationWindowSeconds")
    down_window = DOWN_WINDOW if down_window is None else down_window
    recent = history["recommendations"]
    if behavior is None:
        stable = max([wanted, *(number for time, number in recent if time >= now - down_window * SECOND)])
        held = HELD_DOWN
    else:
        lowest = min([wanted, *(number for time, number in recent if time > now - up_window * SECOND)])
        highest = max([wanted, *(number for time, number in recent if time > now - down_window * SECOND)])
        stable = min(max(current, lowest), highest)
        held = HELD_UP if wanted >= current else HELD_DOWN
    longest = max(up_window, down_window) * SECOND
    kept = [entry for entry in recent if entry[0] >= now - longest][-HISTORY_LIMIT + 1 :]
    history = {**history, "recommendations": [*kept, [now, wanted]]}
    if behavior is None:
        bounded, why = _bounded(current, stable, least, most)
    else:
        bounded, why = _rated(behavior, history, current, stable, least, most, now)
    return Limited(bounded, FITS if stable == wanted else held, why, bounded != stable), history


def changed(history: History, before: int, after: int, now: int) -> History:
    """The history with the change that was just made."""
    side = "up" if after > before else "down"
    recent = [entry for entry in history[side] if entry[0] > now - LONGEST_PERIOD * SECOND]
    return {**history, side: [*recent[-HISTORY_LIMIT + 1 :], [now, abs(after - before)]]}


def _bounded(current: int, wanted: int, least: int, most: int) -> tuple[int, tuple[str, str]]:
    ceiling, why = most, MANY
    if most > (fastest := max(UP_FACTOR * current, UP_LEAST)):
        ceiling, why = fastest, FAST_UP
    if wanted < least:
        return least, FEW
    return (ceiling, why) if wanted > ceiling else (wanted, WITHIN)


def _rated(
    behavior: Manifest, history: History, current: int, wanted: int, least: int, most: int, now: int
) -> tuple[int, tuple[str, str]]:
    if wanted > current:
        fastest = max(_fastest_up(behavior["scaleUp"], history, current, now), current)
        ceiling, why = (fastest, FAST_UP) if most > fastest else (most, MANY)
        return (ceiling, why) if wanted > ceiling else (wanted, WITHIN)
    if wanted < current:
        fastest = min(_fastest_down(behavior["scaleDown"], history, current, now), current)
        floor, why = (fastest, FAST_DOWN) if least < fastest else (least, FEW)
        return (floor, why) if wanted < floor else (wanted, WITHIN)
    return wanted, WITHIN


def _begun_with(policy: dict[str, Any], history: History, current: int, now: int) -> int:
    """How many replicas there were when the policy's period began."""
    start = now - policy["periodSeconds"] * SECOND
    added, removed = (sum(change for time, change in history[side] if time > start) for side in ("up", "down"))
    return current - added + removed


def _fastest_up(rules: Manifest, history: History, current: int, now: int) -> int:
    if rules.get("selectPolicy") == "Disabled":
        return current
    allowed = []
    for policy in rules.get("policies") or []:
        begun = _begun_with(policy, history, current, now)
        if policy["type"] == "Pods":
            allowed.append(begun + policy["value"])
        else:
            more = begun * Fraction(100 + policy["value"], 100)
            allowed.append(-(-more.numerator // more.denominator))
    return (min if rules.get("selectPolicy") == "Min" else max)(allowed, default=current)


def _fastest_down(rules: Manifest, history: History, current: int, now: int) -> int:
    """`Max` is the policy that changes most: the lowest floor."""
    if rules.get("selectPolicy") == "Disabled":
        return current
    allowed = []
    for policy in rules.get("policies") or []:
        begun = _begun_with(policy, history, current, now)
        fewer = begun - policy["value"] if policy["type"] == "Pods" else begun * (100 - policy["value"]) // 100
        allowed.append(fewer)
    return (max if rules.get("selectPolicy") == "Min" else min)(allowed, default=current)
