"""Asking real webhooks: over https, on this machine, with their own certificate authority."""

from collections.abc import Iterator
from http.server import HTTPServer
from typing import Any

import pytest

from cluster import outside
from tests import webhook


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[int, str]]:
    """(port, caBundle) of a webhook at https://localhost."""
    with webhook.running() as found:
        yield found


def a_call(port: int, bundle: str, path: str = "/guard?timeout=10s", host: str = "localhost") -> dict[str, Any]:
    review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u-1"}}
    url = f"https://127.0.0.1:{port}{path}"
    return {"digest": "d", "url": url, "host": host, "ca": bundle, "timeout": 10, "review": review}


def test_a_webhook_is_asked_under_its_path_and_trusted_by_its_own_authority(served: tuple[int, str]):
    answer = outside.ask(a_call(*served))

    assert answer["review"]["response"] == {"uid": "u-1", "allowed": True, "warnings": ["/guard?timeout=10s"]}


def test_a_certificate_for_somebody_else_is_not_believed(served: tuple[int, str]):
    answer = outside.ask(a_call(*served, host="hook.default.svc"))

    assert "tls: failed to verify certificate" in answer["error"]


def test_a_webhook_that_nobody_vouches_for_is_not_believed(served: tuple[int, str]):
    assert "tls: failed to verify certificate" in outside.ask(a_call(served[0], ""))["error"]


def test_nobody_at_home_is_said_as_go_says_it(served: tuple[int, str]):
    with HTTPServer(("127.0.0.1", 0), webhook.Webhook) as gone:
        port = gone.server_port

    answer = outside.ask(a_call(port, served[1]))

    assert answer["error"].startswith(f'Post "https://127.0.0.1:{port}/guard?timeout=10s": ')


@pytest.mark.parametrize(("path", "said"), [("/broken", "prevented the request"), ("/huge", "is larger than")])
def test_an_answer_that_is_none_is_an_error(served: tuple[int, str], path: str, said: str):
    assert said in outside.ask(a_call(*served, path=path))["error"]
