"""What comes of load generators' requests, in figures for people: of the pods of one LoadGenerator together.

Pure functions over container records, for who is in the world (its status) and for who reads committed rows (the page,
a scraper).
"""

from collections.abc import Iterable
from typing import Any

from cluster.flows import ways
from cluster.kubelet import serving

Record = dict[str, Any]
SECOND, MILLI = 1_000_000, serving.MILLI
PARTS = ("mean", "p50", "p90", "p99")
SELDOM = 0.001  # Of what is sent: fewer failures than that are no state, but bad luck.
BEHIND = 0.98  # Of what is wanted: who sends less has fallen behind.


def senders(records: Iterable[Record], namespace: str, name: str, epoch: int) -> list[Record]:
    """The containers that send what the LoadGenerator of that name says."""
    mine = (each for each in records if each.get("program") == serving.GENERATOR and each["namespace"] == namespace)
    return [each for each in mine if (found := serving.demand(each, epoch)) is not None and found.of == name]


def fails(outcome: str) -> bool:
    """Is that no answer, or a server's error? A client's own mistake (404) is an answer."""
    return not outcome.isdecimal() or outcome >= "500"


def of(records: Iterable[Record], moment: int, url: str = "") -> dict[str, Any]:
    """At `moment`, of all these senders: requests a second `wanted`, `sent`, `answered`, `errors`, by `outcomes`;

    `latency`: {mean, p50, p90, p99} as Go writes durations, means of the senders' by what they send, and the same in
    `milliseconds`; `behind`: is less sent than wanted? `failing`: do more than a few fail? `failure`, `said`: the
    commonest of them, and what a client says of it.
    """
    pieces = [serving.piece(record, moment) for record in records if _sends(record, moment)]
    outcomes: dict[str, int] = {}
    for piece in pieces:
        for outcome, rate in piece.get("outcomes", {}).items():
            outcomes[outcome] = outcomes.get(outcome, 0) + rate
    wanted, sent = (sum(piece.get(key, 0) for piece in pieces) for key in ("wanted", "sent"))
    latency = _latency(pieces)
    failed = {outcome: rate for outcome, rate in outcomes.items() if fails(outcome)}
    failure = max(sorted(failed), key=lambda outcome: failed[outcome], default="")
    return {
        "wanted": shown(wanted),
        "sent": shown(sent),
        "answered": shown(sum(rate for outcome, rate in outcomes.items() if not fails(outcome))),
        "errors": shown(sum(failed.values())),
        "outcomes": {outcome: shown(rate) for outcome, rate in sorted(outcomes.items())},
        "latency": dict(zip(PARTS, map(span, latency), strict=False)),
        "milliseconds": dict(zip(PARTS, (round(each / MILLI, 3) for each in latency), strict=False)),
        "behind": sent < wanted * BEHIND,
        "failing": sum(failed.values()) > SELDOM * sent,
        "failure": failure,
        "said": said(failure, url) if failure else "",
    }


def said(failure: str, url: str) -> str:
    return f'Get "{url}": HTTP {failure}' if failure.isdecimal() else ways.told(failure, url)


def _sends(record: Record, moment: int) -> bool:
    return "flow" in record and (record["ended"] is None or record["ended"] > moment)


def _latency(pieces: list[Any]) -> list[int]:
    """Microseconds."""
    known = [(piece["latency"], piece["sent"]) for piece in pieces if piece.get("latency")]
    total = sum(sent for _, sent in known)
    return [sum(each[at] * sent for each, sent in known) // total for at in range(len(PARTS))] if total else []


def shown(milli: int) -> float:
    """A rate with three digits that count, so that what hardly changes stays as it is.

    >>> shown(9_998), shown(123_456), shown(0), shown(12_345_678)
    (10.0, 123.0, 0.0, 12346.0)
    """
    rate = milli / MILLI
    return float(f"{rate:.3g}") if rate < 1000 else float(round(rate))


def span(micro: int) -> str:
    """A duration as Go writes it, with three digits that count.

    >>> span(480), span(12_345), span(3_800_000)
    ('480µs', '12.3ms', '3.8s')
    """
    if micro < 1000:
        return f"{micro}µs"
    value, unit = (micro / 1000, "ms") if micro < SECOND else (micro / SECOND, "s")
    return f"{float(f'{value:.3g}'):g}{unit}"
