"""Lists of resources that can be added and compared: `{"cpu": 250m, "memory": 64Mi}`, exactly, and what a pod asks for.

An amount remembers how it was written, so that a sum of `64Mi` and `64Mi` is `128Mi` and not `134217728`. As in Go, a
sum is written like its first part that is not zero.

Init containers run one after another, so only the largest counts; sidecars (init containers that restart always) run
beside everything that follows them. What the pod says of itself as a whole goes before the sum of its containers.

Mirrors:  k8s.io/apiserver/pkg/quota/v1/resources.go, k8s.io/component-helpers/resource/helpers.go
Left out: resizing in place (status.containerStatuses[].resources).
"""

from collections.abc import Iterable
from typing import NamedTuple

from cluster.objects import Manifest, quantity


class Amount(NamedTuple):
    """`nano`: billionths; `form`: decimal, binary or exponent."""

    nano: int
    form: str = "decimal"

    def __str__(self) -> str:
        return quantity.written(self.nano, self.form)


Amounts = dict[str, Amount]
ONE, NONE = Amount(quantity.NANO), Amount(0)


def parse(quantities: Manifest | None) -> Amounts:
    """`{"cpu": "250m"}` as amounts. Errors: ValueError naming the text."""
    return {name: Amount(*quantity.parse(str(text))) for name, text in (quantities or {}).items()}


def text(amounts: Amounts) -> dict[str, str]:
    """As objects hold them, sorted by name."""
    return {name: str(amounts[name]) for name in sorted(amounts)}


def shown(amounts: Amounts) -> str:
    """`pods=1,requests.cpu=300m`: as messages name them."""
    return ",".join(f"{name}={amounts[name]}" for name in sorted(amounts))


def _sum(left: Amount, right: Amount, sign: int = 1) -> Amount:
    return Amount(left.nano + sign * right.nano, left.form if left.nano else right.form)


def plus(left: Amounts, right: Amounts) -> Amounts:
    both = {name: _sum(amount, right[name]) if name in right else amount for name, amount in left.items()}
    return {**both, **{name: amount for name, amount in right.items() if name not in left}}


def minus(left: Amounts, right: Amounts) -> Amounts:
    both = {name: _sum(amount, right[name], -1) if name in right else amount for name, amount in left.items()}
    return {**both, **{name: Amount(-amount.nano, amount.form) for name, amount in right.items() if name not in left}}


def highest(left: Amounts, right: Amounts) -> Amounts:
    return {**left, **{name: a for name, a in right.items() if name not in left or a.nano > left[name].nano}}


def only(amounts: Amounts, names: Iterable[str]) -> Amounts:
    kept = frozenset(names)
    return {name: amount for name, amount in amounts.items() if name in kept}


# --- pods -------------------------------------------------------------------------------------------------------


def requests_of(pod: Manifest) -> Amounts:
    """What the pod asks for, its overhead included."""
    spec = pod["spec"]
    return plus(_whole(spec, "requests"), parse(spec.get("overhead")))


def limits_of(pod: Manifest) -> Amounts:
    """What the pod may use at most; its overhead comes on top of what is limited at all."""
    spec = pod["spec"]
    limits = _whole(spec, "limits")
    return plus(limits, only(parse(spec.get("overhead")), limits))


def _whole(spec: Manifest, part: str) -> Amounts:
    total: Amounts = {}
    for container in spec.get("containers") or ():
        total = plus(total, _of(container, part))
    total = _with_init(total, spec.get("initContainers") or (), part)
    own = parse((spec.get("resources") or {}).get(part))
    return {**total, **{name: amount for name, amount in own.items() if is_pod_level(name)}}


def _with_init(total: Amounts, containers: Iterable[Manifest], part: str) -> Amounts:
    beside: Amounts = {}
    most: Amounts = {}
    for container in containers:
        asked = _of(container, part)
        if container.get("restartPolicy") == "Always":
            total, beside = plus(total, asked), plus(beside, asked)
            asked = beside
        else:
            asked = plus(asked, beside)
        most = highest(most, asked)
    return highest(total, most)


def _of(container: Manifest, part: str) -> Amounts:
    return parse((container.get("resources") or {}).get(part))


def is_pod_level(name: str) -> bool:
    """May a pod as a whole ask for this resource?"""
    return name in ("cpu", "memory") or name.startswith("hugepages-")
