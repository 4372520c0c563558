"""LoadGenerator objects and their operator, which is a pod like any other."""

import pytest

from cluster.addons import ADDONS
from tests.builders import Refused, a_deployment
from tests.cluster.flows.conftest import PATH, Lab, a_load_generator


def pods_of(lab: Lab) -> list[str]:
    return [pod["metadata"]["name"] for pod in lab.cluster.objects("Pod") if "load-load" in pod["metadata"]["name"]]


def test_its_pods_share_the_requests(lab: Lab):
    lab.send(30)
    lab.change(replicas=3).run_for(10)

    assert len(pods_of(lab)) == 3
    assert lab.status()["readyReplicas"] == 3
    assert lab.outcomes() == {"200": 30.0}
    sent = [record["flow"][-1]["sent"] for record in lab.records("load-load-generator")]  # type: ignore[index]
    assert sent == [10_000, 10_000, 10_000]


def test_it_goes_with_all_its_pods(lab: Lab):
    lab.send(30)
    lab.cluster.request("DELETE", f"{PATH}/load")
    lab.run_for(10)

    assert pods_of(lab) == []
    assert all(record["load"][-1][2] == 0 for record in lab.records("web"))  # type: ignore[index]


def test_without_its_operator_rates_still_change_and_nothing_new_begins(lab: Lab):
    lab.send(10)
    operator = lab.cluster.get("Deployment", "load-operator", "kube-system")
    lab.cluster.scale(operator, 0)
    lab.run_for(10).change(requestsPerSecond=50)
    lab.cluster.request("POST", PATH, a_load_generator("late"))
    lab.run_for(30)

    assert sum(record["load"][-1][2] for record in lab.records("web")) == 50_000  # type: ignore[index]
    assert lab.outcomes() == {"200": 10.0}  # Nobody tells.
    assert lab.status("late") == {}

    lab.cluster.scale(operator, 1)
    lab.run_for(20)
    assert lab.outcomes() == {"200": 50.0}
    assert lab.outcomes("late") == {"200": 10.0}


def test_a_name_that_somebody_else_has_is_told_and_left_alone(lab: Lab):

    lab.cluster.create(a_deployment("load-load-generator", 1))
    lab.cluster.request("POST", PATH, a_load_generator())
    lab.run_for(10)

    told = lab.condition("Available")
    assert (told["status"], told["reason"]) == ("False", "NameTaken")


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"target": "web"}, 'spec.target: Invalid value: "web"'),
        ({"target": "https://web"}, "spec.target"),
        ({"requestsPerSecond": -1}, "spec.requestsPerSecond"),
        ({"timeout": "soon"}, "spec.timeout"),
        ({"connections": 0}, "spec.connections"),
    ],
)
def test_nonsense_is_refused_by_its_definition(lab: Lab, spec: dict[str, object], told: str):
    body = a_load_generator()
    body["spec"] |= spec
    with pytest.raises(Refused) as refused:
        lab.cluster.request("POST", PATH, body)
    assert told in refused.value.body["message"]


def test_a_name_that_is_too_long_for_a_label_is_refused(lab: Lab):
    with pytest.raises(Refused, match="a name may have 48 characters at most"):
        lab.cluster.request("POST", PATH, a_load_generator("x" * 49))


def test_a_quota_that_leaves_no_room_is_told_in_an_event(lab: Lab):
    spec = {"hard": {"count/deployments.apps": "1"}}
    lab.cluster.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one"}, "spec": spec})
    lab.run_for(5)
    lab.cluster.request("POST", PATH, a_load_generator())
    lab.run_for(10)

    told = [event["message"] for event in lab.cluster.events("FailedCreate")]
    assert any("exceeded quota: one, requested: count/deployments.apps=1" in text for text in told)


def test_only_the_target_has_to_be_said(lab: Lab):
    wish = a_load_generator()
    wish["spec"] = {"target": "http://web"}
    made = lab.cluster.request("POST", PATH, wish)

    usual = {"connections": 10, "method": "GET", "replicas": 1, "requestsPerSecond": 10, "timeout": "10s"}
    assert made["spec"] == {"target": "http://web", **usual}
    assert "load-generators" in ADDONS
