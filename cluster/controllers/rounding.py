"""Numbers that may be percentages: `25%` of 3 replicas, rounded as each field is.

Mirrors:  k8s.io/apimachinery/pkg/util/intstr, kubernetes/pkg/controller/deployment/util (ResolveFenceposts)
"""

from cluster.objects import Manifest


def scaled(value: int | str | None, total: int, round_up: bool) -> int:
    """`value` of `total`.

    >>> scaled("25%", 3, round_up=True), scaled("25%", 3, round_up=False), scaled(2, 3, True)
    (1, 0, 2)
    """
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    percent = int(value.removesuffix("%"))
    return -(-percent * total // 100) if round_up else percent * total // 100


def surge_and_unavailable(spec: Manifest) -> tuple[int, int]:
    """(maxSurge, maxUnavailable) of a Deployment's spec in pods; never both zero, or nothing could ever move."""
    if spec["strategy"]["type"] == "Recreate":
        return 0, 0
    rolling = spec["strategy"].get("rollingUpdate") or {}
    surge = scaled(rolling.get("maxSurge"), spec["replicas"], round_up=True)
    unavailable = scaled(rolling.get("maxUnavailable"), spec["replicas"], round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, min(unavailable, spec["replicas"])
