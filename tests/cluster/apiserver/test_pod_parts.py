"""Ephemeral containers and resizes: the parts of a running pod that have URLs of their own."""

import pytest

from tests.cluster.apiserver.replay import Api

STRATEGIC = "application/strategic-merge-patch+json"
PODS = "/api/v1/namespaces/shop/pods"
SMALL = {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m"}}


@pytest.fixture
def api():
    api = Api().with_namespace("shop")
    app = {"name": "app", "image": "nginx", "resources": SMALL}
    api.ask("POST", PODS, {"metadata": {"name": "web"}, "spec": {"containers": [app]}})
    return api


def debugged(api, **container):
    spec = {"ephemeralContainers": [{"name": "debugger", "image": "busybox", **container}]}
    return api.ask("PATCH", f"{PODS}/web/ephemeralcontainers", {"spec": spec}, STRATEGIC)


def resized(api, resources, **container):
    spec = {"containers": [{"name": "app", "resources": resources, **container}]}
    return api.ask("PATCH", f"{PODS}/web/resize", {"spec": spec}, STRATEGIC)


def test_a_container_to_debug_with_is_added_and_completed(api):
    status, pod = debugged(api, targetContainerName="app")

    [made] = pod["spec"]["ephemeralContainers"]
    assert (status, made["imagePullPolicy"], made["terminationMessagePolicy"]) == (200, "Always", "File")
    assert pod["metadata"]["generation"] == 2


def test_a_container_to_debug_with_can_neither_be_changed_nor_taken_away(api):
    debugged(api)

    changed, body = debugged(api, image="alpine")
    pod = api.read("Pod", "shop", "web")
    bare = {**pod, "spec": {name: value for name, value in pod["spec"].items() if name != "ephemeralContainers"}}
    removed, gone = api.ask("PUT", f"{PODS}/web/ephemeralcontainers", bare)

    assert (changed, removed) == (422, 422)
    assert 'existing ephemeral containers "debugger" may not be changed' in body["message"]
    assert 'existing ephemeral containers "debugger" may not be removed' in gone["message"]


@pytest.mark.parametrize(
    ("container", "problem"),
    [
        ({"name": "app"}, 'spec.ephemeralContainers[0].name: Duplicate value: "app"'),
        ({"targetContainerName": "x"}, 'spec.ephemeralContainers[0].targetContainerName: Not found: "x"'),
        (
            {"ports": [{"containerPort": 80}]},
            "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
        ),
    ],
)
def test_what_a_container_to_debug_with_may_not_be(api, container, problem):
    status, body = debugged(api, **container)

    assert (status, problem in body["message"]) == (422, True), body["message"]


def test_nothing_but_ephemeral_containers_changes_through_their_url(api):
    before = api.read("Pod", "shop", "web")

    status, after = api.ask("PATCH", f"{PODS}/web/ephemeralcontainers", {"metadata": {"labels": {"a": "b"}}}, STRATEGIC)

    assert (status, after) == (200, before)


def test_a_pod_is_created_without_containers_to_debug_with(api):
    debug = {"name": "d", "image": "busybox"}
    spec = {"containers": [{"name": "app", "image": "nginx"}], "ephemeralContainers": [debug]}

    status, body = api.ask("POST", PODS, {"metadata": {"name": "new"}, "spec": spec})

    assert (status, "cannot be set on create" in body["message"]) == (422, True)


def test_a_running_container_is_given_other_resources_and_nothing_else(api):
    status, pod = resized(api, {"requests": {"cpu": "150m"}, "limits": {"cpu": "300m"}}, image="other")

    [app] = pod["spec"]["containers"]
    assert (status, app["image"], app["resources"]["limits"]) == (200, "nginx", {"cpu": "300m"})
    assert pod["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("resources", "problem"),
    [
        ({"limits": {"ephemeral-storage": "1Gi"}}, "only cpu and memory resources are mutable"),
        ({"requests": {"cpu": "300m"}}, "must be less than or equal to cpu limit of 200m"),
        ({"limits": {"cpu": None}}, "resource limits cannot be removed"),
    ],
)
def test_what_a_resize_may_not_do(api, resources, problem):
    status, body = resized(api, resources)

    assert (status, problem in body["message"]) == (422, True), body["message"]


def test_a_resize_keeps_the_quality_of_service(api):
    limits = {"cpu": "200m", "memory": "1Gi"}

    status, body = resized(api, {"requests": limits, "limits": limits})

    assert (status, "Pod QOS Class may not change as a result of resizing" in body["message"]) == (422, True)
