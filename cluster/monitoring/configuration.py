"""prometheus.yml and the files of rules that it names, as they stand in the ConfigMap `prometheus` of kube-system.

Mirrors:  prometheus/config, model/rulefmt
Left out: everything but global.scrape_interval and rule_files; limits and intervals of groups.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from cluster.monitoring import store
from cluster.monitoring.promql import BadData
from cluster.monitoring.rules import Recording, Rule, recording_of, rule_of
from cluster.network import Site

SECOND = 1_000_000
NAMESPACE, NAME, FILE = "kube-system", "prometheus", "prometheus.yml"
USUAL_INTERVAL, SHORTEST = 60 * SECOND, SECOND
MOST_RULES = 100
AGE_FLAG, SIZES = "--storage.tsdb.retention.time=", ("B", "KB", "MB", "GB", "TB")
_SIZE = re.compile(r"--storage\.tsdb\.retention\.size=(\d{1,6})(B|KB|MB|GB|TB)")
UNITS = {
    "y": 365 * 86400 * SECOND,
    "w": 7 * 86400 * SECOND,
    "d": 86400 * SECOND,
    "h": 3600 * SECOND,
    "m": 60 * SECOND,
    "s": SECOND,
    "ms": SECOND // 1000,
}
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")


class Unreadable(ValueError):
    """The configuration can't be read: Prometheus would go on with the one before, which we don't have."""


class Configuration(NamedTuple):
    """`interval`: microseconds."""

    interval: int
    rules: tuple[Rule | Recording, ...]


def duration(text: str) -> int:
    """Microseconds.

    >>> duration("1h30m"), duration("15s")
    (5400000000, 15000000)

    Errors: ValueError.
    """
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError(f'not a valid duration string: "{text}"')
    return sum(int(number) * UNITS[unit] for unit, number in zip(UNITS, found.groups(), strict=True) if number)


def retention(argv: Iterable[str]) -> tuple[int, int]:
    """How long samples are kept (milliseconds) and how many bytes, as flags say; the store's own limits hold.

    >>> retention(["prometheus", "--storage.tsdb.retention.time=2d", "--storage.tsdb.retention.size=256MB"])
    (172800000, 268435456)

    A flag that can't be read counts as not given.
    """
    age, size = store.RETENTION, store.MOST_BYTES
    for word in argv:
        if word.startswith(AGE_FLAG):
            with suppress(ValueError):
                age = min(duration(word.removeprefix(AGE_FLAG)) // 1000 or age, age)
        elif found := _SIZE.fullmatch(word):
            size = min(int(found[1]) << 10 * SIZES.index(found[2]) or size, size)
    return age, size


def of(site: Site) -> Configuration:
    """Errors: Unreadable."""
    found = site.get("ConfigMap", NAMESPACE, NAME)
    return _parsed(tuple(sorted(((found or {}).get("data") or {}).items())))


@lru_cache(maxsize=16)
def _parsed(data: tuple[tuple[str, str], ...]) -> Configuration:
    """Scrapers ask every second, and files hardly ever change. Errors: Unreadable."""
    files = dict(data)
    try:
        main = _read(files, FILE)
        settings = main.get("global") or {}
        text = settings.get("scrape_interval")
        interval = USUAL_INTERVAL if text is None else max(duration(str(text)), SHORTEST)
        names = [str(path).rpartition("/")[2] for path in main.get("rule_files") or ()]
        rules = [rule for name in names for rule in _rules(_read(files, name))]
    except RecursionError:
        raise Unreadable(f"error loading config from {FILE!r}: yaml: exceeded max depth") from None
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError, BadData) as error:
        raise Unreadable(f"error loading config from {FILE!r}: {error}") from None
    if len(rules) > MOST_RULES:
        raise Unreadable(f"error loading config from {FILE!r}: more than {MOST_RULES} rules")
    return Configuration(interval, tuple(rules))


def _read(files: dict[str, str], name: str) -> dict[str, Any]:
    """Errors: ValueError for aliases: written out, a few lines of them are as large as one likes."""
    text = files.get(name, "")
    if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
        raise ValueError("aliases are not read here")
    return yaml.safe_load(text) or {}


def _rules(file: dict[str, Any]) -> list[Rule | Recording]:
    """All rules of a file, in their order."""
    found: list[Rule | Recording] = []
    for group in file.get("groups") or ():
        for rule in group.get("rules") or ():
            if "record" in rule:
                found.append(recording_of(str(group["name"]), rule))
            else:
                found.append(rule_of(str(group["name"]), rule, duration(str(rule.get("for", "0s"))) // 1000))
    return found
