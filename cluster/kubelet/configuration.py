"""KubeletConfiguration: what a machine's kubelet was started with. A machine has it under `kubelet`, as its file has.

    evictionHard evictionSoft evictionMinimumReclaim        {signal: "100Mi" or "10%"}
    evictionSoftGracePeriod                                 {signal: "1m30s"}
    evictionMaxPodGracePeriod (s)  evictionPressureTransitionPeriod  mergeDefaultEvictionSettings
    imageGCHighThresholdPercent  imageGCLowThresholdPercent  imageMinimumGCAge
    containerLogMaxSize "10Mi"  containerLogMaxFiles 5
    kubeReserved systemReserved                             {cpu, memory, ephemeral-storage, pid: quantity}

As in the real one, naming one hard threshold switches off the defaults of all others, unless they are to be merged.

Mirrors:  kubernetes/pkg/kubelet/apis/config/v1beta1/defaults.go, pkg/kubelet/apis/config/validation,
          pkg/kubelet/eviction/helpers.go (ParseThresholdConfig), pkg/kubelet/cm/node_container_manager_linux.go
Left out: all other fields (refused as unknown); containerfs signals, which no runtime here reports.
Read next: eviction.py.
"""

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from cluster.engine.clock import MINUTE, SECOND
from cluster.objects import amounts, quantity
from cluster.objects.amounts import Amount, Amounts
from cluster.runtime import rotation

SIGNALS = (  # Memory first: of several, that is what is reclaimed first.
    "memory.available", "allocatableMemory.available", "nodefs.available", "imagefs.available", "nodefs.inodesFree",
    "imagefs.inodesFree", "pid.available",
)  # fmt: skip
HARD = {
    "memory.available": "100Mi",
    "nodefs.available": "10%",
    "imagefs.available": "15%",
    "nodefs.inodesFree": "5%",
    "imagefs.inodesFree": "5%",
}
SMALLEST_LOG = 1024  # Bytes; a real kubelet takes less, and rotates never if it is negative.
RESERVABLE = ("cpu", "memory", "ephemeral-storage", "pid")
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")


class Bad(ValueError):
    """`str()` says what a kubelet would say before it ends."""


class Level(NamedTuple):
    """An amount, or a part of the capacity. `share`: of 1, in the precision that Go keeps; 0: `amount` counts."""

    amount: Amount
    share: float = 0.0

    def of(self, capacity: int) -> int:
        """In bytes, inodes or processes."""
        return int(capacity * self.share) if self.share else -(-self.amount.nano // quantity.NANO)

    def written(self, capacity: int) -> str:
        return str(Amount(self.of(capacity) * quantity.NANO, "binary")) if self.share else str(self.amount)


class Threshold(NamedTuple):
    """`grace`: microseconds that it must be met for; 0: it is a hard one. `reclaim`: how far beyond it has to go."""

    signal: str
    level: Level
    grace: int = 0
    reclaim: Level | None = None

    @property
    def name(self) -> str:
        """What is remembered of it."""
        return f"{self.signal}/{self.grace}"


@dataclass(frozen=True)
class Configuration:
    """Times: microseconds."""

    thresholds: tuple[Threshold, ...] = ()
    longest_grace: int = 0  # Between SIGTERM and SIGKILL, if a soft threshold evicts.
    transition: int = 5 * MINUTE
    gc_high: int = 85
    gc_low: int = 80
    gc_age: int = 2 * MINUTE
    log_size: int = rotation.MAX_SIZE
    log_files: int = rotation.MAX_FILES
    reserved: Amounts = field(default_factory=dict)  # For the kubelet and for the system.

    def hard(self) -> dict[str, str]:
        """Its hard thresholds, as its file has them."""
        given = (each for each in self.thresholds if not each.grace and each.signal in SIGNALS)
        return {
            each.signal: f"{each.level.share * 100:g}%" if each.level.share else str(each.level.amount)
            for each in given
            if each.signal != "allocatableMemory.available"
        }

    def withheld(self, memory: int, disk: int) -> Amounts:
        """What pods on a machine of so many bytes may not ask for: what is reserved, and what hard thresholds keep."""
        found = self.reserved
        for signal, resource, capacity in (
            ("memory.available", "memory", memory),
            ("nodefs.available", "ephemeral-storage", disk),
        ):
            hard = next((each for each in self.thresholds if each.signal == signal and not each.grace), None)
            if hard is not None:
                kept = Amount(hard.level.of(capacity) * quantity.NANO, "binary")
                found = amounts.plus(found, {resource: kept})
        return found


FIELDS = (
    "evictionHard", "evictionSoft", "evictionMinimumReclaim", "evictionSoftGracePeriod", "evictionMaxPodGracePeriod",
    "evictionPressureTransitionPeriod", "mergeDefaultEvictionSettings", "imageGCHighThresholdPercent",
    "imageGCLowThresholdPercent", "imageMinimumGCAge", "kubeReserved", "systemReserved", "containerLogMaxSize",
    "containerLogMaxFiles",
)  # fmt: skip


def read(given: Any) -> Configuration:
    """The configuration that `given` (None: nothing is given) stands for. Errors: Bad."""
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise Bad(f"a KubeletConfiguration is an object, not {given!r}")
    for name in given:
        if name not in FIELDS:
            raise Bad(f'strict decoding error: unknown field "{name}"; known are: {", ".join(FIELDS)}')
    high, low = (
        _whole(given, f"imageGC{which}ThresholdPercent", usual) for which, usual in (("High", 85), ("Low", 80))
    )
    _check_percentages(high, low)
    reserved: Amounts = {}
    for name in ("kubeReserved", "systemReserved"):
        reserved = amounts.plus(reserved, _reserved(name, _map(given, name)))
    return Configuration(
        thresholds=_thresholds(given),
        longest_grace=_whole(given, "evictionMaxPodGracePeriod", 0) * SECOND,
        transition=_duration(given.get("evictionPressureTransitionPeriod", "5m"), "evictionPressureTransitionPeriod"),
        gc_high=high,
        gc_low=low,
        gc_age=_duration(given.get("imageMinimumGCAge", "2m"), "imageMinimumGCAge"),
        log_size=_log_size(given.get("containerLogMaxSize", "10Mi")),
        log_files=_whole(given, "containerLogMaxFiles", rotation.MAX_FILES),
        reserved=reserved,
    )


def _check_percentages(high: int, low: int) -> None:
    for name, flag, value in (("High", "high", high), ("Low", "low", low)):
        if not 0 <= value <= 100:
            raise Bad(
                f"invalid configuration: imageGC{name}ThresholdPercent (--image-gc-{flag}-threshold) {value} must be "
                "between 0 and 100, inclusive"
            )
    if low >= high:
        raise Bad(
            f"invalid configuration: imageGCLowThresholdPercent (--image-gc-low-threshold) {low} must be less than "
            f"imageGCHighThresholdPercent (--image-gc-high-threshold) {high}"
        )


def _thresholds(given: Mapping[str, Any]) -> tuple[Threshold, ...]:
    """Hard ones, soft ones, and what pods together may take, in the order of SIGNALS."""
    hard, soft = _map(given, "evictionHard"), _levels(_map(given, "evictionSoft"))
    if not hard or given.get("mergeDefaultEvictionSettings"):
        hard = {**HARD, **hard}
    periods = {signal: _grace(signal, text) for signal, text in _map(given, "evictionSoftGracePeriod").items()}
    reclaims = {signal: _level(signal, text, least=0) for signal, text in _map(given, "evictionMinimumReclaim").items()}
    found = [Threshold(signal, level) for signal, level in _levels(hard).items()]
    for signal, level in soft.items():
        if signal not in periods:
            raise Bad(f"grace period must be specified for the soft eviction threshold {signal}")
        found.append(Threshold(signal, level, periods[signal]))
    found = [each._replace(reclaim=reclaims.get(each.signal)) for each in found]
    memory = next((each for each in found if each.signal == "memory.available" and not each.grace), None)
    if memory is not None:
        found.append(memory._replace(signal="allocatableMemory.available"))
    return tuple(sorted(found, key=lambda each: (SIGNALS.index(each.signal), each.grace)))


def _levels(statements: Mapping[str, Any]) -> dict[str, Level]:
    return {
        signal: _level(signal, text)
        for signal, text in statements.items()
        if not (_check_signal(signal) and str(text) in ("0%", "100%"))
    }


def _check_signal(signal: str) -> bool:
    if signal not in SIGNALS or signal.startswith("allocatable"):
        raise Bad(f"unsupported eviction signal {signal}")
    return True


def _level(signal: str, text: Any, least: int = 1) -> Level:
    """`10%` or a quantity. `least` 0: for what may be nothing. Errors: Bad."""
    _check_signal(signal)
    text = str(text)
    if text.endswith("%"):
        try:
            percent = float(text.rstrip("%"))
        except ValueError:
            raise Bad(f"{signal}: {text!r} is no percentage") from None
        if not 0 <= percent <= 100:
            way = ">= 0%" if percent < 0 else "<= 100%"
            raise Bad(f"eviction percentage threshold {signal} must be {way}: {text}")
        return Level(amounts.NONE, struct.unpack("f", struct.pack("f", percent / 100))[0])
    amount = _quantity(signal, text)
    if amount.nano < least:
        raise Bad(f"eviction threshold {signal} must be positive: {amount}")
    return Level(amount)


def _grace(signal: str, text: Any) -> int:
    _check_signal(signal)
    return _duration(text, f"evictionSoftGracePeriod of {signal}")


def _reserved(name: str, given: Mapping[str, Any]) -> Amounts:
    for resource in given:
        if resource not in RESERVABLE:
            raise Bad(f"{name}: cannot reserve {resource!r} resource; it must be one of: {', '.join(RESERVABLE)}")
    found = {resource: _quantity(f"{name}.{resource}", str(text)) for resource, text in given.items()}
    for resource, amount in found.items():
        if amount.nano < 0:
            raise Bad(f"{name}: resource quantity for {resource!r} cannot be negative: {amount}")
    return found


def _quantity(where: str, text: str) -> Amount:
    try:
        return Amount(*quantity.parse(quantity.canonical(text)))
    except ValueError as error:
        raise Bad(f"{where}: {error}") from None


def _duration(text: Any, where: str) -> int:
    """As Go writes it. Errors: Bad."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) and text != "0" else None
    if text == "0":
        return 0
    if not text or match is None:
        raise Bad(f"{where}: {text!r} is no duration such as 1m30s")
    units = (60 * MINUTE, MINUTE, SECOND, SECOND // 1000)
    return sum(int(number or 0) * unit for number, unit in zip(match.groups(), units, strict=True))


def _whole(given: Mapping[str, Any], name: str, usual: int) -> int:
    value = given.get(name, usual)
    if not isinstance(value, int) or isinstance(value, bool):
        raise Bad(f"{name} is {value!r}; it must be a whole number")
    if name == "evictionMaxPodGracePeriod" and value < 0:
        raise Bad(f"invalid configuration: evictionMaxPodGracePeriod {value} must not be a negative number")
    if name == "containerLogMaxFiles" and value <= 1:
        raise Bad(f"invalid configuration: containerLogMaxFiles {value} must be greater than 1")
    return value


def _log_size(text: Any) -> int:
    """Errors: Bad."""
    amount = _quantity("containerLogMaxSize", str(text))
    if amount.nano < SMALLEST_LOG * quantity.NANO:
        raise Bad(f"containerLogMaxSize is {text}; it must be at least {SMALLEST_LOG} bytes")
    return -(-amount.nano // quantity.NANO)


def _map(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name) or {}
    if not isinstance(value, Mapping):
        raise Bad(f"{name} is {value!r}; it must be an object")
    return value
