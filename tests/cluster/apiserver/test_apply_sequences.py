"""The recorded sequences of server-side applies, step by step: answers, conflicts, and who owns what afterwards."""

import json
from typing import Any

import pytest

from tests.cluster.apiserver.replay import Api, differences, recorded

SEQUENCES = recorded("patches/apply_sequences.json")


@pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence["sequence"])
def test_a_recorded_sequence_of_applies_goes_as_recorded(sequence: dict[str, Any], subtests: Any) -> None:
    api = Api().with_namespace("patch-public")
    for step in sequence["steps"]:
        request, expected = step["request"], step["response"]
        body = request.get("rawBody", json.dumps(request["body"]))

        status, answer = api.ask(request["method"], request["path"], body, request["contentType"])

        with subtests.test(f"{step['name']}: {request['method']} {request['path']}"):
            assert status == expected["status"], answer.get("message")
            assert managed(answer) == managed(expected["body"])
            if status < 300:
                assert content(answer) == content(expected["body"])
            else:
                assert differences(answer, expected["body"]) == []


def managed(obj: dict[str, Any]) -> list[dict[str, Any]]:
    """Who owns what; the deployment controller's entries are left out: it was at work in the recording."""
    entries = obj.get("metadata", {}).get("managedFields", [])
    ours = [e for e in entries if e["manager"] != "kube-controller-manager"]
    without_time = [{name: value for name, value in entry.items() if name != "time"} for entry in ours]
    return sorted(without_time, key=lambda entry: (entry["manager"], entry["operation"], entry.get("subresource", "")))


def content(obj: dict[str, Any]) -> dict[str, Any]:
    """What was asked for; a controller wrote the status and the revision, and addresses are drawn anew."""
    spec = {name: value for name, value in obj.get("spec", {}).items() if not name.startswith("clusterIP")}
    metadata = {name: obj["metadata"].get(name) for name in ("labels", "finalizers")}
    return {"spec": spec, "data": obj.get("data"), "metadata": metadata}
