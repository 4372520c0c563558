"""Every recorded refusal of a write, asked again in the recorded order: code, reason, message and causes are equal."""

import copy
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from cluster.apiserver import registry
from cluster.apiserver.target import parse
from tests.cluster.apiserver.replay import Api, differences, recorded, replayed

NAMESPACE = "err-public"
CORE, APPS = f"/api/v1/namespaces/{NAMESPACE}", f"/apis/apps/v1/namespaces/{NAMESPACE}"
CONTAINERS = {"containers": [{"name": "c", "image": "nginx"}]}
# Cases of which only the code and the reason can be the same, and why.
CODE_ONLY = {
    "immutable: pod container name/env": "the real message ends in a diff of Go's internal structs",
    "immutable: pod nodeName": "the real message ends in a diff of Go's internal structs",
    "immutable: job template": "the message shows Go's internal structs",
    "merge patch unknown field Strict": "the message shows the whole object, which had managedFields and a status",
}
# Accepted writes whose answer shows what other components had done by then.
ACCEPTED_ONLY = {"DELETE negative grace": "a kubelet had filled in the status"}
# Asked elsewhere, since it takes more than this API server alone: who is asking, other objects, a gateway, a kubelet.
ELSEWHERE = re.compile(
    r"(bad token|anonymous|alice|impersonation|quota (configmaps|pods|needs)|token |exec of it|crd |POST /version"
    r"|OPTIONS)"
)


def writes() -> list[dict[str, Any]]:
    """The recorded writes of kinds that are served, in the recorded order."""
    return [case for case in recorded("errors/cases.json") if _is_asked_here(case)]


def _is_asked_here(case: dict[str, Any]) -> bool:
    target = parse(urlsplit(case["request"]["path"]).path)
    if case["request"]["method"] in ("GET", "HEAD") or ELSEWHERE.match(case["name"]) or target is None:
        return False
    return registry.by_path(target.group, target.version, target.plural) is not None


def test_every_recorded_refusal_is_ours_too(subtests: Any) -> None:
    api = prepared()
    for case in writes():
        name, expected = case["name"], case["response"]
        if name == "configmap too large":  # The recorder wrote down how the body was made.
            case["request"]["body"] = {"metadata": {"name": "huge"}, "data": {"x": "y" * 1_048_577}}
        before_each(api, name)
        with subtests.test(name):
            status, body = replayed(api, case)
            assert (status, body.get("reason")) == (expected["status"], expected["body"].get("reason")), body.get(
                "message"
            )
            if name not in CODE_ONLY and name not in ACCEPTED_ONLY:
                assert differences(body, expected["body"]) == []


@pytest.mark.parametrize(
    "case", [c for c in writes() if "Warning" in c["response"]["headers"]], ids=lambda c: c["name"]
)
def test_what_is_accepted_with_a_warning_says_so_in_the_header(case: dict[str, Any]) -> None:
    api = prepared()
    case = copy.deepcopy(case)
    body = case["request"].get("rawBody", case["request"].get("body"))

    response = api.call(case["request"]["method"], case["request"]["path"], body)

    assert response.headers["Warning"] == case["response"]["headers"]["Warning"]


def prepared() -> Api:
    """The objects that the recorder had made beforehand."""
    api = Api().with_namespace(NAMESPACE).with_namespace("default").with_namespace("err-public-term")
    template = {"metadata": {"labels": {"app": "a"}}, "spec": CONTAINERS}
    api.ask("POST", f"{CORE}/configmaps", {"metadata": {"name": "base"}, "data": {"a": "1"}})
    api.ask("POST", f"{CORE}/secrets", {"metadata": {"name": "base-imm"}, "immutable": True, "stringData": {"a": "b"}})
    api.ask(
        "POST",
        f"{CORE}/services",
        {"metadata": {"name": "base"}, "spec": {"ports": [{"port": 80}], "selector": {"app": "a"}}},
    )
    deployment = {
        "metadata": {"name": "base"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template},
    }
    api.ask("POST", f"{APPS}/deployments", deployment)
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    api.ask("POST", f"{CORE}/persistentvolumeclaims", {"metadata": {"name": "base"}, "spec": claim})
    numbered = {**deployment, "spec": {**deployment["spec"], "serviceName": "x"}}
    api.ask("POST", f"{APPS}/statefulsets", numbered)
    once = {"template": {"spec": {**CONTAINERS, "restartPolicy": "Never"}}}
    jobs = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    api.ask("POST", jobs, {"metadata": {"name": "base-job"}, "spec": once})
    for name in ("base-pod", "base-vic"):
        api.ask("POST", f"{CORE}/pods", {"metadata": {"name": name}, "spec": CONTAINERS})
    api.ask("POST", f"{CORE}/pods/base-vic/binding", {"metadata": {"name": "base-vic"}, "target": {"name": "w-1"}})
    return api


def before_each(api: Api, name: str) -> None:
    """Some cases begin with a step that the recording does not show."""
    if name == "delete object with finalizer (200 + object)":
        api.ask("POST", f"{CORE}/configmaps", {"metadata": {"name": "fin", "finalizers": ["a.b/c"]}})
