"""NetworkPolicies decide who may talk to whom."""

from typing import Any

import pytest

from cluster.objects import Manifest
from tests.builders import a_pod
from tests.cluster.network.conftest import TOOLS, Lab

OPEN, CLOSED = 0, 28


def a_policy(name: str, app: str, **spec: Any) -> Manifest:
    selector = {"matchLabels": {"app": app}} if app else {}
    return {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
        "spec": {"podSelector": selector, **spec},
    }  # fmt: skip


def fetch(lab: Lab, pod: str = "tmp", namespace: str = "default") -> int:
    web = lab.address("web")
    return lab.run("curl", "-s", "-o", "/dev/null", "-m", "2", web, pod=pod, namespace=namespace, seconds=3)[0]


def test_a_policy_without_rules_lets_nobody_in(lab: Lab):
    assert fetch(lab) == OPEN
    lab.cluster.create(a_policy("deny", "web", policyTypes=["Ingress"]))
    assert fetch(lab) == CLOSED


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"from": [{"podSelector": {"matchLabels": {"role": "client"}}}]}, OPEN),
        ({"from": [{"podSelector": {"matchLabels": {"role": "other"}}}]}, CLOSED),
        ({"from": [{"namespaceSelector": {}}]}, OPEN),
        ({"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}, CLOSED),
        ({"from": [{"ipBlock": {"cidr": "10.244.0.0/16"}}]}, OPEN),
        ({"from": [{"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.0.0/17"]}}]}, CLOSED),
        ({"ports": [{"port": 80}]}, OPEN),
        ({"ports": [{"port": 70, "endPort": 90}]}, OPEN),
        ({"ports": [{"port": 81}]}, CLOSED),
        ({"ports": [{"port": 80, "protocol": "UDP"}]}, CLOSED),
        ({}, OPEN),
    ],
)
def test_ingress_rules_say_who_may_come(lab: Lab, rule: Manifest, code: int):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tmp", "namespace": "default"}}
    lab.cluster.patch(pod, {"metadata": {"labels": {"role": "client"}}})
    lab.cluster.create(a_policy("some", "web", ingress=[rule]))

    assert fetch(lab) == code


def test_an_egress_policy_forgets_dns_as_everybody_s_first_one_does(lab: Lab):
    to_web = {"to": [{"podSelector": {"matchLabels": {"app": "web"}}}]}
    lab.cluster.create(a_policy("only-web", "", policyTypes=["Egress"], egress=[to_web]))

    assert fetch(lab) == OPEN
    code, said = lab.run("curl", "-sS", "-m", "5", "web", seconds=6)
    assert (code, said) == (28, "curl: (28) Resolving timed out after 5000 milliseconds\n")

    dns = {"to": [{"namespaceSelector": {}}], "ports": [{"port": 53, "protocol": "UDP"}]}
    lab.cluster.create(a_policy("dns", "", policyTypes=["Egress"], egress=[dns]))
    assert lab.run("curl", "-s", "-o", "/dev/null", "web")[0] == OPEN


def test_a_pod_of_another_namespace_is_told_by_its_namespace_s_labels(lab: Lab):
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team", "labels": {"team": "a"}}}
    lab.cluster.create(space)
    pod = a_pod("guest", TOOLS, command=["sleep", "3600"])
    lab.cluster.run_for(1)
    lab.cluster.create({**pod, "metadata": {"name": "guest", "namespace": "team"}})
    lab.cluster.run_for(10)
    peer = {"namespaceSelector": {"matchLabels": {"team": "a"}}}
    lab.cluster.create(a_policy("guests", "web", ingress=[{"from": [peer]}]))

    assert fetch(lab, "guest", "team") == OPEN
    assert fetch(lab) == CLOSED


def test_the_kubelet_s_probes_are_not_kept_out(lab: Lab):
    lab.cluster.create(a_policy("deny", "web", policyTypes=["Ingress"]))
    probe = {"httpGet": {"port": 80}, "periodSeconds": 1}
    pod = a_pod("probed", "nginx:1.27")
    pod["metadata"]["labels"] = {"app": "web"}
    pod["spec"]["containers"][0]["readinessProbe"] = probe
    lab.cluster.create(pod)
    lab.cluster.run_for(10)

    assert lab.pod("probed")["status"]["containerStatuses"][0]["ready"] is True
