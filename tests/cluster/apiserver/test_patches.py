"""Every recorded patch, on the recorded object: the answer and what is stored afterwards are the recorded ones."""

import json
import re
from typing import Any

import pytest

from cluster.apiserver import registry
from cluster.objects import Manifest
from tests.cluster.apiserver.replay import Api, differences, recorded, replayed

CASES = recorded("patches/patch_cases.json")
# The deployment controller was quick: between `before` and the patch it had written these.
CONTROLLERS = re.compile(
    r"^\.metadata\.annotations\.deployment\.kubernetes\.io/revision |^\.status\b|^\.metadata\.generation "
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_recorded_patch_gives_the_recorded_answer(case: dict[str, Any]) -> None:
    api = with_stored(case["before"])

    status, body = replayed(api, case)

    assert status == case["response"]["status"], body.get("message")
    assert [d for d in differences(body, case["response"]["body"]) if not CONTROLLERS.match(d)] == []


@pytest.mark.parametrize("case", [case for case in CASES if "afterGet" in case], ids=lambda case: case["name"])
def test_after_a_recorded_patch_the_recorded_object_is_stored(case: dict[str, Any]) -> None:
    api = with_stored(case["before"])

    replayed(api, case)

    stored = api.read(case["before"]["kind"], "patch-public", "web")
    assert [d for d in differences(stored, case["afterGet"]) if not CONTROLLERS.match(d)] == []


def test_a_patch_that_changes_nothing_writes_nothing() -> None:
    case = next(case for case in CASES if "no-op" in case["name"])
    api = with_stored(case["before"])
    before = api.store.revision

    replayed(api, case)

    assert api.store.revision == before


def with_stored(obj: Manifest) -> Api:
    api = Api().with_namespace("patch-public")
    resource = registry.by_kind(obj["kind"], obj["apiVersion"])
    api.server.storage.put(resource, None, json.loads(json.dumps(obj)))
    return api
