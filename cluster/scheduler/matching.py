"""May this pod go there? Tolerations against taints. What node selectors mean stands in objects/nodeterms.py.

Mirrors: k8s.io/component-helpers/scheduling/corev1/helpers.go
"""

from collections.abc import Iterable
from typing import Any

from cluster.objects import Manifest, pods
from cluster.objects.nodeterms import requirement as requirement
from cluster.objects.nodeterms import term_matches as term_matches

FORBIDDING = ("NoSchedule", "NoExecute")


def tolerations(pod: Manifest) -> Any:
    """The pod's tolerations; None if it has none."""
    return pod["spec"].get("tolerations")


def tolerated(found: Iterable[Manifest] | None, taint: Manifest) -> bool:
    return any(pods.toleration_matches(toleration, taint) for toleration in found or ())
