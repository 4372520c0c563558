"""Every answer names the FlowSchema and the priority level that its request belongs to."""

import pytest

from tests.cluster.gateway.asgi import fetch

FLOWS = "/apis/flowcontrol.apiserver.k8s.io/v1"


def named(kind, uid):
    listed = fetch(f"{FLOWS}/{kind}").json()["items"]
    return next(each["metadata"]["name"] for each in listed if each["metadata"]["uid"] == uid)


def flow_of(answer):
    uid, level = (answer.headers[f"x-kubernetes-pf-{part}-uid"] for part in ("flowschema", "prioritylevel"))
    return named("flowschemas", uid), named("prioritylevelconfigurations", level)


@pytest.mark.parametrize("path", ["/api/v1/pods", "/healthz", "/openapi/v3", "/api/v1/namespaces/none"])
def test_the_administrator_is_exempt(lab, path):
    assert flow_of(fetch(path)) == ("exempt", "exempt")


NODE = {"impersonate_user": "system:node:worker-1", "impersonate_group": "system:nodes"}
ACCOUNT = {"impersonate_user": "system:serviceaccount:shop:web"}
SYSTEM_ACCOUNT = {"impersonate_user": "system:serviceaccount:kube-system:dns"}
SCHEDULER = {"impersonate_user": "system:kube-scheduler"}
ALICE = {"impersonate_user": "alice"}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"


@pytest.mark.parametrize(
    ("who", "path", "flow"),
    [
        (NODE, "/api/v1/pods", ("system-nodes", "system")),
        (ACCOUNT, "/api/v1/pods", ("service-accounts", "workload-low")),
        (SYSTEM_ACCOUNT, "/api/v1/pods", ("kube-system-service-accounts", "workload-high")),
        (SCHEDULER, f"{LEASES}/kube-scheduler", ("system-leader-election", "leader-election")),
        (SCHEDULER, "/api/v1/pods", ("kube-scheduler", "workload-high")),
        (ALICE, "/api/v1/pods", ("global-default", "global-default")),
        (ALICE, "/healthz", ("probes", "exempt")),
    ],
)
def test_others_belong_where_the_rules_put_them_even_if_they_are_refused(lab, who, path, flow):
    assert flow_of(fetch(path, **who)) == flow
