"""DefaultTolerationSeconds: every pod stays five minutes on a node that is not ready or unreachable.

This is why a class waits 300 s between a dead node and its pods' replacement, and why a pod may ask for less.

Mirrors:  kubernetes/plugin/pkg/admission/defaulttolerationseconds/admission.go
"""

from typing import Any

from cluster.apiserver.admission.attributes import CREATE, UPDATE, Attributes
from cluster.apiserver.admission.plugin import Plugin
from cluster.objects import Manifest
from cluster.objects.memo import IdentityMemo

SECONDS = 300
KEYS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_memo = IdentityMemo(512)


def admit(server: Any, attributes: Attributes) -> Manifest:
    pod = attributes.obj
    spec = _memo.get(pod["spec"], (), _tolerant)
    return pod if spec is pod["spec"] else {**pod, "spec": spec}


def _tolerant(spec: Manifest) -> Manifest:
    given = spec.get("tolerations") or []
    missing = [key for key in KEYS if not any(_covers(toleration, key) for toleration in given)]
    if not missing:
        return spec
    added = [{"key": k, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS} for k in missing]
    return {**spec, "tolerations": [*given, *added]}


def _covers(toleration: Manifest, key: str) -> bool:
    return toleration.get("key", "") in ("", key) and toleration.get("effect", "") in ("", "NoExecute")


PLUGIN = Plugin("DefaultTolerationSeconds", mutate=admit, kinds=("Pod",), operations=(CREATE, UPDATE))
