"""A kubelet's flags, as a person types them, and the fields of its configuration that they stand for.

>>> given(["--eviction-hard", "memory.available<200Mi", "--image-gc-high-threshold=70"])
{'evictionHard': {'memory.available': '200Mi'}, 'imageGCHighThresholdPercent': 70}

Source:   https://kubernetes.io/docs/reference/command-line-tools-reference/kubelet/
"""

import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple


class Flag(NamedTuple):
    """`between`: what stands between key and value of a map; "": it is no map; `number`: a whole number."""

    field: str
    between: str = ""
    number: bool = False


FLAGS = {
    "--eviction-hard": Flag("evictionHard", "<"),
    "--eviction-soft": Flag("evictionSoft", "<"),
    "--eviction-soft-grace-period": Flag("evictionSoftGracePeriod", "="),
    "--eviction-minimum-reclaim": Flag("evictionMinimumReclaim", "="),
    "--eviction-max-pod-grace-period": Flag("evictionMaxPodGracePeriod", number=True),
    "--eviction-pressure-transition-period": Flag("evictionPressureTransitionPeriod"),
    "--image-gc-high-threshold": Flag("imageGCHighThresholdPercent", number=True),
    "--image-gc-low-threshold": Flag("imageGCLowThresholdPercent", number=True),
    "--minimum-image-ttl-duration": Flag("imageMinimumGCAge"),
    "--container-log-max-size": Flag("containerLogMaxSize"),
    "--container-log-max-files": Flag("containerLogMaxFiles", number=True),
    "--kube-reserved": Flag("kubeReserved", "="),
    "--system-reserved": Flag("systemReserved", "="),
}


def given(words: Sequence[str]) -> dict[str, Any]:
    """Fields of a KubeletConfiguration. Errors: ValueError, which names the flag and says what would be right."""
    found: dict[str, Any] = {}
    left = list(words)
    while left:
        name, equals, text = left.pop(0).partition("=")
        if name not in FLAGS:
            raise ValueError(f"unknown flag: {name}; known are: {', '.join(FLAGS)}")
        if not equals:
            if not left:
                raise ValueError(f"flag needs an argument: {name}")
            text = left.pop(0)
        found[FLAGS[name].field] = value_of(name, text)
    return found


def value_of(name: str, text: str) -> Any:
    """Errors: ValueError."""
    flag = FLAGS[name]
    if flag.number:
        if not text.lstrip("-").isdecimal():
            raise ValueError(f"invalid argument {text!r} for {name}: it must be a whole number")
        return int(text)
    if not flag.between:
        return text
    pairs = [pair.partition(flag.between) for pair in text.split(",") if pair]
    for key, between, value in pairs:
        if not (key and between and value):
            shape = f"SIGNAL{flag.between}VALUE" if "eviction" in name else f"RESOURCE{flag.between}VALUE"
            raise ValueError(f"invalid argument {text!r} for {name}: it must look like {shape},…")
    return {key.strip(): value.strip() for key, _, value in pairs}


def written(configuration: dict[str, Any]) -> str:
    """The flags that say the same, each with a space before it."""
    parts = []
    for name, flag in FLAGS.items():
        value = configuration.get(flag.field)
        if value is None:
            continue
        text = ",".join(f"{k}{flag.between}{v}" for k, v in value.items()) if isinstance(value, dict) else str(value)
        parts.append(f" {name} {shlex.quote(text)}")
    return "".join(parts)
