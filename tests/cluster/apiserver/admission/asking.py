"""Webhooks of these tests, and a caller that asks them as the gateway does."""

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import orjson

from cluster.apiserver.requests import CONTINUE
from cluster.objects import Manifest
from tests.builders import TestCluster, collection

Webhook = Callable[[Manifest], Manifest]  # AdmissionRequest -> what the response says beside its uid


def a_webhook(kind: str, name: str, resources: str = "pods", operations: str = "CREATE", **more: Any) -> Manifest:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": [resources], "operations": operations.split()}
    hook = {"name": f"{name}.example.com", "rules": [rule], "sideEffects": "None", "admissionReviewVersions": ["v1"]}
    hook |= {"clientConfig": {"url": f"https://localhost:9443/{name}"}, **more}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [hook],
    }


def patched(*operations: Manifest) -> Manifest:
    return {"allowed": True, "patchType": "JSONPatch", "patch": b64encode(orjson.dumps(operations)).decode()}


class Caller:
    """Sends requests as the gateway does. `webhooks`: by the last part of their URLs; `asked`: what they were shown."""

    def __init__(self, cluster: TestCluster, **webhooks: Webhook) -> None:
        self.cluster, self.webhooks, self.asked, self.sent = cluster, webhooks, list[Manifest](), 0

    def send(
        self, method: str, path: str, body: Any = None, query: str = "", between: Any = None
    ) -> tuple[int, Manifest]:
        """(status, body) of the last answer. `between`: called after each round."""
        text = "" if body is None else orjson.dumps(body).decode()
        request: Manifest = {"type": "api", "method": method, "path": path, "query": query, "body": text}
        media = "application/merge-patch+json" if method == "PATCH" else "application/json"
        request |= {"headers": {"content-type": media}, "webhooks": {}}
        for _ in range(20):
            self.sent += 1
            response = self.cluster.world.execute(f"caller-{self.sent}", request)
            answer = orjson.loads(response.body)
            if response.status != CONTINUE:
                return response.status, answer
            hooks = {"seed": answer["seed"], "answers": {}} | request["webhooks"]
            new = {call["digest"]: self._ask(call) for call in answer["calls"]}
            request["webhooks"] = {**hooks, "answers": {**hooks["answers"], **new}}
            if between is not None:
                between()
        raise AssertionError("it never ends")

    def create(self, obj: Manifest, **more: Any) -> tuple[int, Manifest]:
        return self.send("POST", collection(obj, self.cluster.world.server.kinds), obj, **more)

    def _ask(self, call: Manifest) -> Manifest:
        self.asked.append(call["review"]["request"])
        name = call["url"].partition("?")[0].rpartition("/")[2]
        if name not in self.webhooks:
            return {"error": f'Post "{call["url"]}": dial tcp localhost:9443: connect: connection refused'}
        response = {"uid": call["review"]["request"]["uid"], **self.webhooks[name](call["review"]["request"])}
        return {"review": {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}}


def yes(request: Manifest) -> Manifest:
    return {"allowed": True}
