"""What happens to an object on its way into the store: admission, addresses, eviction, deletion."""

import pytest

from cluster.objects import Manifest
from tests.cluster.apiserver.replay import Api

SHOP, PODS = "/api/v1/namespaces/shop", "/api/v1/namespaces/shop/pods"
CONTAINERS = [{"name": "c", "image": "nginx"}]


@pytest.fixture
def api() -> Api:
    return Api().with_namespace("shop")


def a_pod(name: str = "web", **spec: object) -> Manifest:
    return {"metadata": {"name": name, "labels": {"app": "web"}}, "spec": {"containers": CONTAINERS, **spec}}


def running(api: Api, name: str = "web") -> Manifest:
    """A pod that a kubelet runs and finds ready."""
    api.ask("POST", PODS, a_pod(name))
    api.ask("POST", f"{PODS}/{name}/binding", {"metadata": {"name": name}, "target": {"name": "worker-1"}})
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    return api.ask("PATCH", f"{PODS}/{name}/status", {"status": status}, "application/strategic-merge-patch+json")[1]


# --- admission --------------------------------------------------------------------------------------------------


def test_nothing_is_created_in_a_namespace_that_does_not_exist(api):
    status, body = api.ask("POST", "/api/v1/namespaces/nowhere/pods", a_pod())

    assert (status, body["message"]) == (404, 'namespaces "nowhere" not found')


def test_nothing_new_is_created_in_a_namespace_that_is_going(api):
    api.ask("DELETE", "/api/v1/namespaces/shop")

    status, body = api.ask("POST", PODS, a_pod())

    assert (status, body["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")


def test_the_default_namespace_never_goes():
    status, body = Api().with_namespace("default").ask("DELETE", "/api/v1/namespaces/default")

    assert (status, body["message"]) == (403, 'namespaces "default" is forbidden: this namespace may not be deleted')


def test_a_pod_stays_five_minutes_on_a_silent_node_unless_it_says_otherwise(api):
    mine = {
        "key": "node.kubernetes.io/unreachable",
        "operator": "Exists",
        "effect": "NoExecute",
        "tolerationSeconds": 5,
    }

    tolerations = api.ask("POST", PODS, a_pod(tolerations=[mine]))[1]["spec"]["tolerations"]

    assert [(t["key"].split("/")[1], t["tolerationSeconds"]) for t in tolerations] == [
        ("unreachable", 5),
        ("not-ready", 300),
    ]


def test_a_pod_gets_the_default_service_account_and_its_token(api):
    spec = api.ask("POST", PODS, a_pod())[1]["spec"]

    assert spec["serviceAccountName"] == "default"
    assert spec["containers"][0]["volumeMounts"][0]["name"] == spec["volumes"][0]["name"]


def test_a_pod_may_refuse_the_token(api):
    assert "volumes" not in api.ask("POST", PODS, a_pod(automountServiceAccountToken=False))[1]["spec"]


def test_the_number_behind_a_priority_class_is_written_on_the_pod(api):
    api.ask("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": "high"}, "value": 1000})

    assert api.ask("POST", PODS, a_pod(priorityClassName="high"))[1]["spec"]["priority"] == 1000


# --- addresses --------------------------------------------------------------------------------------------------


def a_service(name: str, **spec: object) -> Manifest:
    return {"metadata": {"name": name}, "spec": {"ports": [{"port": 80}], **spec}}


def test_two_services_never_share_an_address(api):
    given = {api.ask("POST", f"{SHOP}/services", a_service(f"s{n}"))[1]["spec"]["clusterIP"] for n in range(30)}

    assert len(given) == 30


def test_an_address_that_another_service_has_is_refused(api):
    taken = api.ask("POST", f"{SHOP}/services", a_service("one"))[1]["spec"]["clusterIP"]

    status, body = api.ask("POST", f"{SHOP}/services", a_service("two", clusterIP=taken))

    assert status == 422
    assert "provided IP is already allocated" in body["message"]


def test_a_node_port_that_another_service_has_is_refused(api):
    ports = [{"port": 80, "nodePort": 30080}]
    api.ask("POST", f"{SHOP}/services", a_service("one", type="NodePort", ports=ports))

    status, body = api.ask("POST", f"{SHOP}/services", a_service("two", type="NodePort", ports=ports))

    assert status == 422
    assert "provided port is already allocated" in body["message"]


# --- deletion and eviction --------------------------------------------------------------------------------------


def test_a_running_pod_is_marked_first_and_gone_only_when_its_kubelet_says_so(api):
    running(api)

    marked = api.ask("DELETE", f"{PODS}/web")[1]
    api.ask("DELETE", f"{PODS}/web?gracePeriodSeconds=0")

    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert api.read("Pod", "shop", "web") is None


def test_a_pod_without_a_node_goes_at_once(api):
    api.ask("POST", PODS, a_pod())

    api.ask("DELETE", f"{PODS}/web")

    assert api.read("Pod", "shop", "web") is None


def test_a_finalizer_keeps_an_object_until_it_is_taken_off(api):
    api.ask("POST", f"{SHOP}/configmaps", {"metadata": {"name": "kept", "finalizers": ["a.b/c"]}})
    api.ask("DELETE", f"{SHOP}/configmaps/kept")
    status, body = api.ask("POST", f"{SHOP}/configmaps", {"metadata": {"name": "kept"}})

    assert body["message"] == 'object is being deleted: configmaps "kept" already exists'
    api.ask("PATCH", f"{SHOP}/configmaps/kept", {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    assert (status, api.read("ConfigMap", "shop", "kept")) == (409, None)


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
def test_a_propagation_policy_is_a_finalizer_for_the_garbage_collector(api, policy, finalizer):
    api.ask("POST", f"{SHOP}/configmaps", {"metadata": {"name": "owner"}})

    _, body = api.ask("DELETE", f"{SHOP}/configmaps/owner", {"propagationPolicy": policy})

    assert body.get("metadata", {}).get("finalizers") == [finalizer] or api.read("ConfigMap", "shop", "owner")[
        "metadata"
    ]["finalizers"] == [finalizer]


def test_a_dry_run_changes_nothing(api):
    running(api)
    before = api.store.revision

    api.ask("POST", PODS + "?dryRun=All", a_pod("other"))
    api.ask("DELETE", f"{PODS}/web?dryRun=All")
    api.ask("DELETE", f"{PODS}?dryRun=All")

    assert api.store.revision == before


def test_a_collection_is_deleted_by_its_labels(api):
    for name, app in (("a", "x"), ("b", "y"), ("c", "x")):
        api.ask("POST", f"{SHOP}/configmaps", {"metadata": {"name": name, "labels": {"app": app}}})

    _, body = api.ask("DELETE", f"{SHOP}/configmaps?labelSelector=app%3Dx")

    assert [item["metadata"]["name"] for item in body["items"]] == ["a", "c"]
    assert api.read("ConfigMap", "shop", "b") is not None


def test_a_budget_that_allows_nothing_refuses_an_eviction_and_one_that_does_is_charged(api):
    running(api)
    budgets, eviction = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets", {"metadata": {"name": "web"}}
    api.ask(
        "POST",
        budgets,
        {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}},
    )
    counted = {
        "observedGeneration": 1,
        "currentHealthy": 1,
        "desiredHealthy": 1,
        "disruptionsAllowed": 0,
        "expectedPods": 1,
    }
    api.ask("PATCH", f"{budgets}/b/status", {"status": counted}, "application/merge-patch+json")

    refused, body = api.ask("POST", f"{PODS}/web/eviction", eviction)
    api.ask("PATCH", f"{budgets}/b/status", {"status": {"disruptionsAllowed": 1}}, "application/merge-patch+json")
    granted, _ = api.ask("POST", f"{PODS}/web/eviction", eviction)

    assert (refused, granted) == (429, 201)
    assert body["details"]["causes"][0]["message"] == "The disruption budget b needs 1 healthy pods and has 1 currently"
    status = api.read("PodDisruptionBudget", "shop", "b")["status"]
    assert (status["disruptionsAllowed"], list(status["disruptedPods"])) == (0, ["web"])


# --- binding ----------------------------------------------------------------------------------------------------


def test_a_bound_pod_no_longer_holds_a_node_free_and_is_bound_only_once(api):
    api.ask("POST", PODS, a_pod())
    api.ask(
        "PATCH", f"{PODS}/web/status", {"status": {"nominatedNodeName": "worker-1"}}, "application/merge-patch+json"
    )
    binding = {"metadata": {"name": "web"}, "target": {"name": "worker-1"}}

    first, _ = api.ask("POST", f"{PODS}/web/binding", binding)
    second, body = api.ask("POST", f"{PODS}/web/binding", binding)

    assert (first, second) == (201, 409)
    assert 'is already assigned to node "worker-1"' in body["message"]
    assert "nominatedNodeName" not in api.read("Pod", "shop", "web")["status"]


def test_an_update_of_a_secret_takes_its_plain_text_too(api):
    api.ask("POST", f"{SHOP}/secrets", {"metadata": {"name": "s"}, "stringData": {"a": "b"}})

    _, body = api.ask("PATCH", f"{SHOP}/secrets/s", {"stringData": {"a": "c"}}, "application/merge-patch+json")

    assert (body["data"], "stringData" in body) == ({"a": "Yw=="}, False)


def test_a_refused_object_is_warned_of_its_unknown_fields_too():
    api = Api().with_namespace("shop")
    deployment = {"metadata": {"name": "web"}, "spec": {"replica": 3, "selector": {}, "template": {}}}

    response = api.call("POST", "/apis/apps/v1/namespaces/shop/deployments?fieldValidation=Warn", deployment)

    assert response.status == 422
    assert response.headers["Warning"] == '299 - "unknown field \\"spec.replica\\""'


def test_a_job_without_a_name_is_refused_for_that():
    status, body = Api().with_namespace("shop").ask("POST", "/apis/batch/v1/namespaces/shop/jobs", {})

    assert (status, body["reason"]) == (422, "Invalid")
    assert "metadata.name" in {cause["field"] for cause in body["details"]["causes"]}


def test_times_before_the_year_1000_keep_four_digits_and_impossible_ones_are_refused():
    api = Api().with_namespace("shop")
    metadata = {"name": "c", "namespace": "shop", "deletionTimestamp": None}
    lease = {"metadata": metadata, "spec": {"acquireTime": "0999-01-01T00:00:00.000000Z"}}

    status, body = api.ask("POST", "/apis/coordination.k8s.io/v1/namespaces/shop/leases", lease)

    assert (status, body["spec"]["acquireTime"]) == (201, "0999-01-01T00:00:00.000000Z")
    lease["spec"]["acquireTime"] = "9999-12-31T23:59:59.000000-10:00"
    status, body = api.ask("POST", "/apis/coordination.k8s.io/v1/namespaces/shop/leases", lease)
    assert (status, body["reason"]) == (400, "BadRequest")
