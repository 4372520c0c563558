"""Jobs, sets, volumes and autoscalers: what their entries in the registry do beyond the recordings."""

import json

import pytest

from tests.cluster.apiserver.replay import Api

MERGE = "application/merge-patch+json"
SHOP = "/api/v1/namespaces/shop"
POD = {"containers": [{"name": "c", "image": "nginx"}]}
CHOSEN = {"selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": POD}}


@pytest.fixture
def api():
    return Api().with_namespace("shop")


def group(name, plural):
    return f"/apis/{name}/namespaces/shop/{plural}"


def a_job(**spec):
    return {"metadata": {"name": "j"}, "spec": {"template": {"spec": {**POD, "restartPolicy": "Never"}}, **spec}}


def an_autoscaler(metrics, **spec):
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return {"metadata": {"name": "h"}, "spec": {"scaleTargetRef": target, "maxReplicas": 3, "metrics": metrics, **spec}}


def test_a_job_that_is_deleted_without_a_policy_leaves_its_pods_to_nobody(api):
    jobs = group("batch/v1", "jobs")
    api.ask("POST", jobs, a_job())

    _, left = api.ask("DELETE", f"{jobs}/j")

    assert left["metadata"]["finalizers"] == ["orphan"]


def test_a_job_deleted_in_the_background_is_gone_at_once(api):
    jobs = group("batch/v1", "jobs")
    api.ask("POST", jobs, a_job())

    api.ask("DELETE", f"{jobs}/j", {"propagationPolicy": "Background"})

    assert api.read("Job", "shop", "j") is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"maxFailedIndexes": 1}, "spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified"),
        ({"backoffLimitPerIndex": 1}, "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
        (
            {"podFailurePolicy": {"rules": [{"action": "Ignore"}]}},
            "rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required",
        ),
        (
            {"podReplacementPolicy": "Never"},
            'spec.podReplacementPolicy: Unsupported value: "Never": supported values: "Failed", "TerminatingOrFailed"',
        ),
    ],
)
def test_a_job_that_contradicts_itself_is_refused_in_the_real_words(api, spec, message):
    status, body = api.ask("POST", group("batch/v1", "jobs"), a_job(**spec))

    assert (status, message in body["message"]) == (422, True), body["message"]


def test_a_suspended_job_may_still_be_told_where_to_run(api):
    jobs = group("batch/v1", "jobs")
    api.ask("POST", jobs, a_job(suspend=True))

    status, body = api.ask(
        "PATCH", f"{jobs}/j", {"spec": {"template": {"spec": {"nodeSelector": {"disk": "ssd"}}}}}, MERGE
    )

    assert (status, body["spec"]["template"]["spec"]["nodeSelector"]) == (200, {"disk": "ssd"})


def test_a_changed_template_of_a_daemon_set_is_counted_and_nobody_may_set_the_count(api):
    sets = group("apps/v1", "daemonsets")
    api.ask("POST", sets, {"metadata": {"name": "d"}, "spec": CHOSEN})
    key = "deprecated.daemonset.template.generation"
    api.ask("PATCH", f"{sets}/d", {"metadata": {"annotations": {key: "17"}}}, MERGE)

    _, changed = api.ask("PATCH", f"{sets}/d", {"spec": {"template": {"spec": {"hostNetwork": True}}}}, MERGE)

    assert (changed["metadata"]["annotations"][key], changed["metadata"]["generation"]) == ("2", 2)


def test_a_stateful_set_mounts_what_its_claim_templates_make(api):
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    container = {**POD["containers"][0], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    template = {**CHOSEN["template"], "spec": {"containers": [container]}}
    spec = {**CHOSEN, "template": template, "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}]}

    status, body = api.ask("POST", group("apps/v1", "statefulsets"), {"metadata": {"name": "s"}, "spec": spec})

    assert (status, body["spec"]["volumeClaimTemplates"][0]["status"]) == (201, {"phase": "Pending"})


@pytest.mark.parametrize(("plural", "version"), [("statefulsets", "apps/v1"), ("replicationcontrollers", "v1")])
def test_a_workload_is_scaled_through_its_scale(api, plural, version):
    where = group(version, plural) if "/" in version else f"{SHOP}/{plural}"
    spec = CHOSEN if "/" in version else {**CHOSEN, "selector": {"a": "b"}}
    api.ask("POST", where, {"metadata": {"name": "w"}, "spec": spec})

    status, scale = api.ask("PATCH", f"{where}/w/scale", {"spec": {"replicas": 4}}, MERGE)

    assert (status, scale["spec"], scale["status"]) == (200, {"replicas": 4}, {"replicas": 0, "selector": "a=b"})


def test_an_autoscaler_of_the_new_version_is_the_same_one_in_the_old_version_and_back(api):
    new, old = group("autoscaling/v2", "horizontalpodautoscalers"), group("autoscaling/v1", "horizontalpodautoscalers")
    cpu = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
    pods = {
        "type": "Pods",
        "pods": {"metric": {"name": "hits"}, "target": {"type": "AverageValue", "averageValue": "10"}},
    }
    _, made = api.ask("POST", new, an_autoscaler([cpu, pods], behavior={"scaleDown": {"selectPolicy": "Min"}}))

    status, shown = api.ask("PATCH", f"{old}/h", {"spec": {"maxReplicas": 9}}, MERGE)

    assert (status, shown["apiVersion"], shown["spec"]["targetCPUUtilizationPercentage"]) == (200, "autoscaling/v1", 50)
    others = json.loads(shown["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"])
    assert others == [{"type": "Pods", "pods": {"metricName": "hits", "targetAverageValue": "10"}}]
    stored = api.read("HorizontalPodAutoscaler", "shop", "h")
    assert stored["spec"] == {**made["spec"], "maxReplicas": 9}
    assert "annotations" not in stored["metadata"]


def test_an_autoscaler_without_metrics_looks_at_the_cpu(api):
    _, made = api.ask("POST", group("autoscaling/v1", "horizontalpodautoscalers"), an_autoscaler_of_old())

    assert made["spec"]["targetCPUUtilizationPercentage"] == 80


def an_autoscaler_of_old():
    made = an_autoscaler([])
    return {**made, "spec": {k: v for k, v in made["spec"].items() if k != "metrics"}}


def test_a_claim_stays_while_its_finalizer_holds_it_and_its_size_may_only_grow_when_it_is_bound(api):
    claims = f"{SHOP}/persistentvolumeclaims"
    disk = {"metadata": {"name": "disk"}, "provisioner": "example.com/disk", "allowVolumeExpansion": True}
    api.ask("POST", "/apis/storage.k8s.io/v1/storageclasses", disk)
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    api.ask("POST", claims, {"metadata": {"name": "c"}, "spec": {**spec, "storageClassName": "disk"}})
    larger = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}

    refused, body = api.ask("PATCH", f"{claims}/c", larger, MERGE)
    api.ask("PATCH", f"{claims}/c/status", {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}}}, MERGE)
    granted, _ = api.ask("PATCH", f"{claims}/c", larger, MERGE)
    shrunk, _ = api.ask("PATCH", f"{claims}/c", {"spec": {"resources": {"requests": {"storage": "1Gi"}}}}, MERGE)
    _, left = api.ask("DELETE", f"{claims}/c")

    assert (refused, granted, shrunk) == (422, 200, 422)
    assert '-   "storage": "1Gi"\n+   "storage": "2Gi"' in body["message"]
    assert left["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]


def test_nobody_can_write_a_component_status(api):
    assert api.ask("POST", "/api/v1/componentstatuses", {"metadata": {"name": "x"}})[0] == 405
