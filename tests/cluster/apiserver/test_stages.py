"""What each stage of a request said stays with the recorded input."""

import orjson

from tests.builders import TestCluster, a_cluster, a_pod
from tests.cluster.apiserver.admission.asking import Caller, a_webhook, patched


def stages_of_the_last_request(cluster: TestCluster) -> list[dict[str, object]]:
    row = (cluster.world.executed or cluster.world.inputs)[-1]
    return orjson.loads(row.response)["stages"]


def test_a_request_keeps_what_each_stage_did_with_it():
    cluster = a_cluster(nodes=1)

    cluster.create(a_pod("web"))

    rows = stages_of_the_last_request(cluster)
    assert [row["stage"] for row in rows[:3]] == ["authentication", "authorization", "decoding"]
    assert rows[-1]["stage"] == "storage"
    mutating = {row["by"]: row.get("changed") for row in rows if row["stage"] == "mutating"}
    assert mutating["NamespaceLifecycle"] is None
    assert mutating["DefaultTolerationSeconds"] == ["spec.tolerations"]
    assert "spec.serviceAccountName" in mutating["ServiceAccount"]


def test_the_stage_that_refuses_is_the_last_one_and_says_why():
    cluster = a_cluster(nodes=1)
    response = cluster.world.execute(
        "refused", {"type": "api", "method": "DELETE", "path": "/api/v1/namespaces/default", "headers": {}}
    )

    row = stages_of_the_last_request(cluster)[-1]

    assert response.status == 403
    assert (row["stage"], row["by"], row["status"]) == ("mutating", "NamespaceLifecycle", 403)
    assert row["refused"] == 'namespaces "default" is forbidden: this namespace may not be deleted'


def test_a_pod_without_a_name_is_refused_by_its_prefix_as_long_as_it_has_no_name():
    cluster = a_cluster(nodes=1)
    nameless = {**a_pod(""), "metadata": {"generateName": "web-"}}
    nameless["spec"] = {**nameless["spec"], "serviceAccountName": "nobody"}

    answer = cluster.world.execute(
        "nameless",
        {
            "type": "api",
            "method": "POST",
            "path": "/api/v1/namespaces/default/pods",
            "headers": {"content-type": "application/json"},
            "body": orjson.dumps(nameless).decode(),
        },
    )

    assert orjson.loads(answer.body)["message"] == (
        'pods "web-" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found'
    )


def test_each_webhooks_word_stands_in_a_row_of_its_own():
    hooks = (a_webhook("Mutating", "mark"), a_webhook("Validating", "guard"))
    cluster = a_cluster(nodes=1).with_objects(*hooks)
    mark = {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}
    no = {"allowed": False, "status": {"message": "no"}, "warnings": ["careful"]}

    Caller(cluster, mark=lambda request: patched(mark), guard=lambda request: no).create(a_pod("web"))

    rows = {row.get("by"): row for row in stages_of_the_last_request(cluster)}
    assert rows["mark.example.com"]["changed"] == ["metadata.labels"]
    assert rows["guard.example.com"]["warned"] == ["careful"]
    assert rows["guard.example.com"]["status"] == 400
