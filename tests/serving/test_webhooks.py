"""Admission webhooks in a running installation: a real https server is asked before an object is stored."""

import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from cluster import outside
from cluster.models import Input
from tests import webhook
from tests.serving.installation import Installation, a_config_map, creation


def register(orrery: Installation, kind: str, path: str, port: int, bundle: str) -> None:
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"], "operations": ["CREATE"]}
    hook = {"name": f"{path}.example.com", "rules": [rule], "sideEffects": "None", "admissionReviewVersions": ["v1"]}
    hook["clientConfig"] = {"url": f"https://localhost:{port}/{path}", "caBundle": bundle}
    body = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": path},
        "webhooks": [hook],
    }
    request = {"type": "api", "method": "POST", "query": "", "headers": {"content-type": "application/json"}}
    path = f"/apis/admissionregistration.k8s.io/v1/{kind.lower()}webhookconfigurations"
    assert orrery.ask({**request, "path": path, "body": orjson.dumps(body).decode()}).status == 201


def posted(orrery: Installation, name: str) -> tuple[int, dict[str, Any]]:
    """Through the API server's own door, as kubectl would."""
    url = f"http://127.0.0.1:{orrery.port}/clusters/default/api/v1/namespaces/default/configmaps"
    body = orjson.dumps(a_config_map(name))
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, orjson.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, orjson.loads(error.read())


def clicked(orrery: Installation, name: str) -> tuple[int, dict[str, Any]]:
    """As the page does."""
    answer = outside.call_sync("default", creation(a_config_map(name), "configmaps"))
    return answer.status, orjson.loads(answer.body)


@pytest.mark.parametrize("ask", [posted, clicked])
def test_a_webhook_marks_one_object_and_keeps_another_out(
    orrery: Installation, ask: Callable[[Installation, str], tuple[int, dict[str, Any]]]
):
    with webhook.running() as (port, bundle):
        register(orrery, "Mutating", "mark", port, bundle)
        register(orrery, "Validating", "guard", port, bundle)
        (created, good), (refused, bad) = ask(orrery, "good"), ask(orrery, "bad")

    assert (created, refused) == (201, 403)
    assert good["metadata"]["labels"] == {"by": "webhook"}
    assert "bad ones stay out" in bad["message"]
    recorded = [orjson.loads(bytes(row.request)) for row in Input.objects.order_by("-ordinal")[:2]]
    assert [len(request["webhooks"]["answers"]) for request in recorded] == [1, 2]  # The first one to say no ended it.
