"""What a dashboard is: stats on top, graphs below, every number a query that can be read and changed.

    $node, $namespace, $pod      the variables that were chosen
    $pods                        a regular expression for the pods of the chosen workload
    $__rate_interval             long enough for four scrapes, as Grafana computes it

Units: `m` millicores, `bytes`, `rps` a second, `s` seconds, `%` 0 to 100, and the empty one for plain counts.
"""

from dataclasses import dataclass

from django.utils.functional import Promise

Text = str | Promise
MILLICORES, BYTES, PER_SECOND, SECONDS, PERCENT, COUNT = "m", "bytes", "rps", "s", "%", ""


@dataclass(frozen=True)
class Line:
    """Series of a graph. `legend`: their name, with {{label}} replaced; empty: the labels that tell them apart."""

    query: str
    legend: Text = ""


@dataclass(frozen=True)
class Graph:
    """`about`: a sentence for somebody who sees such a curve for the first time."""

    title: Text
    about: Text
    unit: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Stat:
    """One number of this moment. `bad_if_any`: everything but 0 is bad news."""

    title: Text
    query: str
    unit: str = COUNT
    bad_if_any: bool = False


@dataclass(frozen=True)
class Board:
    """`variables`: of namespace, node, workload and pod, in the order in which they are chosen."""

    name: str
    title: Text
    about: Text
    graphs: tuple[Graph, ...]
    stats: tuple[Stat, ...] = ()
    variables: tuple[str, ...] = ()


def quantiles(metric: str, by: str = "", where: str = "") -> tuple[Line, ...]:
    """Half of the observations of a histogram were below the first, 99 of 100 below the second."""
    groups = f"le, {by}" if by else "le"
    shown = f" {{{{{by}}}}}" if by else ""
    return tuple(
        Line(
            f"histogram_quantile({rank}, sum by ({groups}) (rate({metric}_bucket{where}[$__rate_interval])))",
            f"{name}{shown}",
        )
        for rank, name in (("0.5", "p50"), ("0.99", "p99"))
    )
