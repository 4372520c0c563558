"""Admission webhooks, as the world sees them: it says what to ask, and goes on with the answers."""

import orjson

from cluster.world import World, replay
from tests.builders import a_cluster, a_deployment, a_pod
from tests.cluster.apiserver.admission.asking import Caller, Webhook, a_webhook, patched, yes
from tests.cluster.apiserver.admission.words import a_quota


def test_a_webhook_is_shown_the_object_and_who_sends_it():
    cluster = a_cluster(nodes=1).with_objects(a_webhook("Validating", "guard"))
    caller = Caller(cluster, guard=yes)

    status, pod = caller.create(a_pod("web"))

    (asked,) = caller.asked
    assert status == 201
    assert asked["operation"] == "CREATE"
    assert asked["userInfo"]["username"] == "system:admin"
    assert asked["resource"] == {"group": "", "version": "v1", "resource": "pods"}
    assert (asked["name"], asked["namespace"], asked["oldObject"]) == ("web", "default", None)
    assert asked["object"]["metadata"]["uid"] == pod["metadata"]["uid"]
    assert asked["object"]["spec"] == pod["spec"]


def test_a_refusal_is_the_webhooks_own():
    cluster = a_cluster(nodes=1).with_objects(a_webhook("Validating", "guard"))
    no = {"allowed": False, "status": {"message": "not on a Friday", "code": 403, "reason": "Forbidden"}}

    status, said = Caller(cluster, guard=lambda request: no).create(a_pod("web"))

    assert (status, said["reason"]) == (403, "Forbidden")
    assert said["message"] == 'admission webhook "guard.example.com" denied the request: not on a Friday'
    assert cluster.get("Pod", "web") is None


def test_a_mutating_webhook_changes_what_is_stored_and_plugins_look_again():
    cluster = a_cluster(nodes=1).with_objects(a_webhook("Mutating", "sidecar"))
    extra = {"op": "add", "path": "/spec/containers/-", "value": {"name": "proxy", "image": "envoy"}}

    _, pod = Caller(cluster, sidecar=lambda request: patched(extra)).create(a_pod("web"))

    proxy = pod["spec"]["containers"][1]
    assert proxy["imagePullPolicy"] == "Always"  # Defaulted, as if it had been sent so …
    assert proxy["volumeMounts"][0]["mountPath"].endswith("serviceaccount")  # … and completed by our own plugins.


def test_later_mutating_webhooks_see_what_earlier_ones_did():
    def label(name: str) -> Webhook:
        return lambda request: patched({"op": "add", "path": f"/metadata/labels/{name}", "value": "yes"})

    hooks = (a_webhook("Mutating", "b"), a_webhook("Mutating", "a", reinvocationPolicy="IfNeeded"))
    caller = Caller(a_cluster(nodes=1).with_objects(*hooks), a=label("a"), b=label("b"))
    pod = a_pod("web")
    pod["metadata"]["labels"] = {"mine": "yes"}

    _, stored = caller.create(pod)

    shown = [sorted(asked["object"]["metadata"]["labels"]) for asked in caller.asked]
    assert shown == [["mine"], ["a", "mine"], ["a", "b", "mine"]]  # The last is `a` once more: it asked for that.
    assert stored["metadata"]["labels"] == {"mine": "yes", "a": "yes", "b": "yes"}


def test_a_webhook_that_fails_stops_the_request_unless_that_is_to_be_ignored():
    strict, lax = a_webhook("Validating", "strict"), a_webhook("Validating", "lax", failurePolicy="Ignore")

    status, said = Caller(a_cluster(nodes=1).with_objects(strict)).create(a_pod("web"))
    ignored, _ = Caller(a_cluster(nodes=1).with_objects(lax)).create(a_pod("web"))

    assert (status, ignored) == (500, 201)
    assert said["message"] == (
        'Internal error occurred: failed calling webhook "strict.example.com": failed to call webhook: Post'
        ' "https://localhost:9443/strict?timeout=10s": dial tcp localhost:9443: connect: connection refused'
    )


def test_only_this_machine_is_ever_called():
    away = a_webhook("Validating", "away", clientConfig={"url": "https://example.com/"})
    caller = Caller(a_cluster(nodes=1).with_objects(away))

    status, said = caller.create(a_pod("web"))

    assert (status, caller.asked) == (500, [])
    assert "on this machine only" in said["message"]


def test_a_service_can_name_this_machine():
    service = {"namespace": "default", "name": "hook", "path": "/guard"}
    target = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"}}
    target["spec"] = {"type": "ExternalName", "externalName": "localhost"}  # type: ignore[assignment]
    hook = a_webhook("Validating", "guard", clientConfig={"service": service})
    caller = Caller(a_cluster(nodes=1).with_objects(target, hook), guard=yes)

    assert caller.create(a_pod("web"))[0] == 201


def test_what_changed_while_a_webhook_thought_is_shown_to_it_again():
    hook = a_webhook("Validating", "guard", "configmaps", "UPDATE")
    cluster = a_cluster(nodes=1).with_objects(hook)
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    cluster.create(settings)
    times = iter((False, True, False))  # The first round only learns that there are webhooks.

    def meanwhile() -> None:
        if next(times, False):
            cluster.patch(settings, {"data": {"b": "2"}})

    caller = Caller(cluster, guard=yes)
    caller.send("PATCH", "/api/v1/namespaces/default/configmaps/settings", {"data": {"c": "3"}}, between=meanwhile)

    assert [sorted(asked["object"]["data"]) for asked in caller.asked] == [["a", "c"], ["a", "b", "c"]]


def test_selectors_and_rules_say_what_a_webhook_wants_to_see():
    hook = a_webhook("Validating", "guard", objectSelector={"matchLabels": {"watch": "me"}})
    cluster = a_cluster(nodes=1).with_objects(hook)
    caller = Caller(cluster, guard=yes)
    marked = a_pod("marked")
    marked["metadata"]["labels"] = {"watch": "me"}

    for obj in (a_pod("plain"), a_deployment("web", replicas=0), marked):
        caller.create(obj)

    assert [asked["name"] for asked in caller.asked] == ["marked"]


def test_conditions_say_what_a_webhook_wants_to_see():
    conditions = [{"name": "not-mine", "expression": "request.userInfo.username != 'system:admin'"}]
    conditions += [{"name": "nonsense", "expression": "object.spec.nothing == 1"}]
    cluster = a_cluster(nodes=1).with_objects(a_webhook("Validating", "guard", matchConditions=conditions))
    caller = Caller(cluster, guard=yes)

    assert caller.create(a_pod("web"))[0] == 201
    assert caller.asked == []


def test_a_condition_that_nobody_can_decide_refuses_the_request():
    conditions = [{"name": "nonsense", "expression": "object.spec.nothing == 1"}]
    cluster = a_cluster(nodes=1).with_objects(a_webhook("Validating", "guard", matchConditions=conditions))

    status, said = Caller(cluster, guard=yes).create(a_pod("web"))

    assert status == 403
    assert "no such key: nothing" in said["message"]


def test_a_collection_is_deleted_only_when_webhooks_were_asked_of_all_of_it():
    cluster = a_cluster(nodes=1).with_objects(a_webhook("Validating", "guard", "configmaps", "DELETE"))
    for name in ("a", "b"):
        cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
    caller, there = Caller(cluster, guard=yes), list[int]()

    caller.send(
        "DELETE",
        "/api/v1/namespaces/default/configmaps",
        query="fieldSelector=metadata.name!=kube-root-ca.crt",
        between=lambda: there.append(len(cluster.objects("ConfigMap", "default"))),
    )

    assert [asked["name"] for asked in caller.asked] == ["a", "b"]
    assert there == [3, 3]
    assert len(cluster.objects("ConfigMap", "default")) == 1


def test_a_generated_name_is_the_same_each_time_a_request_is_sent():
    cluster = a_cluster(nodes=1).with_objects(a_webhook("Mutating", "first"), a_webhook("Validating", "second"))
    caller = Caller(cluster, first=yes, second=yes)
    nameless = {**a_pod("x"), "metadata": {"generateName": "web-"}}

    _, pod = caller.create(nameless)

    assert "name" not in caller.asked[0]["object"]["metadata"]  # It has none yet, as in the real server.
    assert [asked.get("name") for asked in caller.asked] == [None, pod["metadata"]["name"]]


def test_nothing_is_charged_or_recorded_before_all_webhooks_answered():
    cluster = a_cluster(nodes=1).with_objects(a_quota("q", {"pods": "5"}), a_webhook("Validating", "guard")).settle()
    before = len(cluster.world.inputs)

    Caller(cluster, guard=lambda request: {"allowed": False}).create(a_pod("web"))
    cluster.world.commit()

    assert len(cluster.world.inputs) == before + 1
    quota = cluster.get("ResourceQuota", "q")
    assert quota is not None
    assert quota["status"]["used"] == {"pods": "0"}


def test_our_own_components_do_not_wait_for_webhooks():
    cluster = a_cluster(nodes=1).with_objects(a_webhook("Validating", "guard"))
    caller = Caller(cluster)

    caller.create(a_deployment("web", replicas=2))
    cluster.settle()

    assert caller.asked == []
    assert len(cluster.pods_of("web")) == 2


def test_a_replay_takes_the_recorded_answers():
    cluster = a_cluster(nodes=1).with_objects(a_webhook("Mutating", "sidecar"))
    mark = {"op": "add", "path": "/metadata/labels", "value": {"by": "webhook"}}
    Caller(cluster, sidecar=lambda request: patched(mark)).create({**a_pod("x"), "metadata": {"generateName": "web-"}})
    cluster.run_for(5)

    again: World = replay(orjson.loads(orjson.dumps(cluster.world.export())))

    assert again.dump() == cluster.world.dump()
    assert again.history == cluster.world.history
