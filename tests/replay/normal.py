"""What two runs of one scenario may differ in. This table is all of it: each line says what is left out, and why.

The recordings come from a real control plane of 1.37.2 whose kubelets were KWOK's, on a busy machine. What is left
over after these rules must be equal: order of changes per object, events, answers, final states, what was made.

Read next: story.py, which applies the table.
"""

import re
from typing import NamedTuple


class Rewrite(NamedTuple):
    """In every text: what `pattern` finds becomes `by`."""

    pattern: str
    by: str
    why: str


class Ignored(NamedTuple):
    """Of objects whose kind matches `kind`: fields whose path matches `path`. Both may match anywhere."""

    kind: str
    path: str
    why: str


class Unheard(NamedTuple):
    """Events whose `field` matches `pattern`."""

    field: str
    pattern: str
    why: str


SAFE = "[bcdfghjklmnpqrstvwxz2456789]"  # The alphabet of generated suffixes and of template hashes.

REWRITES = (
    Rewrite(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uid>", "made up anew for each object"),
    Rewrite(r"-2\d{7}\b", "-<minute>", "a CronJob's Jobs are named after the minute that they are for"),
    Rewrite(rf"(?<=-){SAFE}{{5}}\b(?!-)", "<suffix>", "generateName draws by chance"),
    Rewrite(r"\bw-\d\b", "w-<n>", "six equal nodes: which one the scheduler takes is chance"),
    Rewrite(r"\b\d+\.\d+\.\d+\.\d+\b", "<ip>", "addresses are given out in another order"),
)  # fmt: skip

# Nowhere looked at.
VOLATILE = (
    Ignored("", r"Time(stamp)?$|-timestamp$|\.timeAdded$|(startedAt|finishedAt|trigger-time)$",
            "the runs were at other times"),
    Ignored("", r"\.uid$|resourceVersion$", "made up anew"),
    Ignored("^(ReplicaSet|EndpointSlice)$", r"metadata\.generation$|observedGeneration$",
            "counts spec writes, and several changes become one write or not: who is quicker"),
    Ignored("Pod", r"observedGeneration$", "KWOK reports none"),
    Ignored("Pod", r"^status.*(PodReadyToStart|containerID|imageID|\.started$|[rR]esources\b|lastProbe|\.image$)",
            "KWOK sets none of these, or repeats the image as it was asked for"),
    Ignored("Node", r"nodeInfo|addresses|images|capacity|allocatable|lastHeartbeat|\.message$|daemonEndpoints"
            r"|features|runtimeHandlers", "KWOK's machines are other machines"),
)  # fmt: skip

# Looked at in final states only, not in the order of changes.
SETTLED_ONLY = (
    Ignored("^(Deployment|ReplicaSet|DaemonSet|StatefulSet|PodDisruptionBudget)$", r"^status\.(?!cond)",
            "how many steps a count takes depends on who is quicker: the writer was throttled to 20 a second"),
    Ignored("^(Deployment|PodDisruptionBudget)$", r"^status\.conditions",
            "conditions in between depend on counts in between"),
    Ignored("^Namespace$", r"^status\.conditions", "KWOK's pods are gone before somebody counts what remains"),
    Ignored("^Endpoint", r"^(endpoints|ports|subsets)|trigger", "one write a change, or one for several: chance"),
    Ignored("ReplicaSet", r"(desired|max)-replicas$|spec\.replicas$", "the steps of a rollout depend on who is"
            " quicker; what was scaled is told by the events"),
)  # fmt: skip

UNHEARD = (
    Unheard("source", "^kubelet$", "no kubelet was recorded: KWOK says nothing"),
    Unheard("reason", "^NoPods$", "said only if the controller looks before the first pod is there"),
)

# Kinds of which only appearing and vanishing is compared.
BYSTANDERS = {"ConfigMap": "nobody acts on them here", "ServiceAccount": "nobody acts on them here"}

# What has several workers of its own: of things done at once, which is told first is chance.
AT_ONCE = {"StatefulSet/par": "its pod management policy is Parallel"}

# Kinds of which objects that come in the middle are only seen to come and go.
NEWCOMERS = {"Node": "the recorder made Nodes itself, and KWOK filled them in: no kubelet registers like that"}

# Facts that one write states together, or several in an order of chance: compared as a set within a step.
UNORDERED = {
    "Node": "the node's conditions, its taints and its labels are written by workers of their own",
}

# Steps done later (or sooner) than recorded, with all that follow: (seconds, why), by what the step says.
SHIFTED = {
    "evict web-54cb9f4f5f-n8p2t": (
        0.5,
        "the recorded kubelet had the replacement Ready within 55 ms, ours takes longer",
    ),
    "evict web-54cb9f4f5f-wpbls": (
        -0.05,
        "the recorded budget was counted anew 66 ms after the eviction, ours is sooner",
    ),
}

_REWRITES = [(re.compile(rule.pattern), rule.by) for rule in REWRITES]


def words(text: str) -> str:
    """`text` with everything replaced that two runs may call differently.

    >>> words("Created pod: web-54cb9f4f5f-svl2g")
    'Created pod: web-54cb9f4f5f-<suffix>'
    """
    for pattern, by in _REWRITES:
        text = pattern.sub(by, text)
    return text


def is_volatile(kind: str, path: str) -> bool:
    return _matches(VOLATILE, kind, path)


def is_settled_only(kind: str, path: str) -> bool:
    return _matches(SETTLED_ONLY, kind, path)


def is_unheard(event: dict[str, str]) -> bool:
    return any(re.search(rule.pattern, event.get(rule.field) or "") for rule in UNHEARD)


def _matches(rules: tuple[Ignored, ...], kind: str, path: str) -> bool:
    return any(re.search(rule.kind, kind) and re.search(rule.path, path) for rule in rules)
