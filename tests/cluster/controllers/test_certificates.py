"""Kubelets' requests for certificates approve themselves where roles allow it; old requests are cleaned up."""

import pytest

from tests.builders import TestCluster, a_cluster
from tests.cluster.controllers.test_credentials import a_request, approve

KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"
USAGES = ("digital signature", "client auth")
NODE = "system:node:node-9"
ROLE = "system:certificates.k8s.io:certificatesigningrequests"


def a_kubelets_request(**spec):
    return a_request(NODE, "system:nodes", usages=USAGES, signerName=KUBELET, **spec) | {"metadata": {"name": "csr-1"}}


def allow(cluster: TestCluster, part: str, group: str) -> None:
    cluster.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": part},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"{ROLE}:{part}"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
        }
    )


def the_request(cluster: TestCluster):
    return cluster.get("CertificateSigningRequest", "csr-1", "")


def verdict(cluster: TestCluster) -> dict[str, str]:
    (condition,) = the_request(cluster)["status"]["conditions"]
    return {name: condition[name] for name in ("type", "status", "reason", "message")}


def test_a_kubelet_that_renews_is_approved_and_gets_its_certificate():
    cluster = a_cluster(nodes=0)
    allow(cluster, "selfnodeclient", "system:nodes")

    cluster.acting_as(NODE, "system:nodes", "system:authenticated").create(a_kubelets_request())
    cluster.run_for(5)

    assert verdict(cluster) == {
        "type": "Approved",
        "status": "True",
        "reason": "AutoApproved",
        "message": "Auto approving self kubelet client certificate after SubjectAccessReview.",
    }
    assert the_request(cluster)["status"]["certificate"]


def test_a_joining_kubelet_is_approved_by_its_token_s_group():
    cluster = a_cluster(nodes=0)
    allow(cluster, "nodeclient", "system:masters")

    cluster.create(a_kubelets_request())
    cluster.run_for(5)

    text = "Auto approving kubelet client certificate after SubjectAccessReview."
    assert verdict(cluster)["message"] == text


def test_nobody_is_approved_without_a_role_and_a_role_that_comes_later_counts():
    cluster = a_cluster(nodes=0)
    someone = cluster.acting_as(NODE, "system:nodes", "system:authenticated")
    someone.create(a_kubelets_request())
    cluster.run_for(60)
    assert not the_request(cluster).get("status")

    allow(cluster, "selfnodeclient", "system:nodes")
    cluster.run_for(600)

    assert verdict(cluster)["reason"] == "AutoApproved"


def test_requests_that_are_no_kubelet_s_wait_for_a_human():
    cluster = a_cluster(nodes=0)

    cluster.create(a_request("alice", "dev") | {"metadata": {"name": "csr-1"}})
    cluster.run_for(60)

    assert not the_request(cluster).get("status")


@pytest.mark.parametrize(
    ("answer", "kept", "gone"), [("Denied", 3_590, 20), ("Approved", 3_590, 20), ("", 86_300, 200)]
)
def test_a_request_goes_an_hour_after_its_answer_or_a_day_after_nobody_answered(answer, kept, gone):
    cluster = a_cluster(nodes=0)
    request = a_request("alice", "dev") | {"metadata": {"name": "csr-1"}}
    cluster.create(request)
    if answer:
        approve(cluster, request, answer)

    cluster.run_for(kept)
    assert the_request(cluster) is not None

    cluster.run_for(gone)
    assert the_request(cluster) is None
