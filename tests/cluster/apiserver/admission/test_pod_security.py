"""PodSecurity: standards of namespaces, in the real server's words."""

import pytest

from tests.builders import Refused, a_cluster, a_deployment, a_pod
from tests.cluster.apiserver.admission.words import GOOD, a_namespace, in_namespace, refusal, warnings_of

RESTRICTED = (
    'allowPrivilegeEscalation != false (container "app" must set securityContext.allowPrivilegeEscalation=false),'
    ' unrestricted capabilities (container "app" must set securityContext.capabilities.drop=["ALL"]),'
    ' runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true),'
    ' seccompProfile (pod or container "app" must set securityContext.seccompProfile.type to "RuntimeDefault" or'
    ' "Localhost")'
)


def test_a_restricted_namespace_names_all_that_a_pod_lacks():
    cluster = a_cluster(nodes=1).with_objects(a_namespace("safe", enforce="restricted")).settle()

    said = refusal(cluster, in_namespace(a_pod("web"), "safe"))

    assert said == f'pods "web" is forbidden: violates PodSecurity "restricted:latest": {RESTRICTED}'


def test_a_careful_pod_is_let_into_a_restricted_namespace():
    cluster = a_cluster(nodes=1).with_objects(a_namespace("safe", enforce="restricted")).settle()
    pod = in_namespace(a_pod("web"), "safe")
    pod["spec"]["containers"][0]["securityContext"] = GOOD

    assert cluster.create(pod)["metadata"]["name"] == "web"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"hostNetwork": True, "hostPID": True}, "host namespaces (hostNetwork=true, hostPID=true)"),
        (
            {"volumes": [{"name": "etc", "hostPath": {"path": "/etc"}}]},
            'hostPath volumes (volume "etc")',
        ),
        (
            {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
            "forbidden sysctls (kernel.msgmax)",
        ),
        (
            {"securityContext": {"seLinuxOptions": {"type": "spc_t", "user": "root"}}},
            'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
        ),
        (
            {"securityContext": {"seccompProfile": {"type": "Unconfined"}}},
            'seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined")',
        ),
    ],
)
def test_a_baseline_namespace_refuses_what_reaches_for_the_host(spec: dict[str, object], said: str):
    cluster = a_cluster(nodes=1).with_objects(a_namespace("fair", enforce="baseline")).settle()

    message = refusal(cluster, in_namespace(a_pod("web", **spec), "fair"))

    assert message == f'pods "web" is forbidden: violates PodSecurity "baseline:latest": {said}'


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"privileged": True}, 'privileged (container "app" must not set securityContext.privileged=true)'),
        (
            {"capabilities": {"add": ["SYS_ADMIN", "NET_RAW", "CHOWN"]}},
            'non-default capabilities (container "app" must not include "NET_RAW", "SYS_ADMIN" in'
            " securityContext.capabilities.add)",
        ),
        (
            {"appArmorProfile": {"type": "Unconfined"}},
            'forbidden AppArmor profile (container "app" must not set AppArmor profile type to "Unconfined")',
        ),
    ],
)
def test_a_baseline_namespace_refuses_powerful_containers(context: dict[str, object], said: str):
    cluster = a_cluster(nodes=1).with_objects(a_namespace("fair", enforce="baseline")).settle()
    pod = in_namespace(a_pod("web"), "fair")
    pod["spec"]["containers"][0]["securityContext"] = context

    message = refusal(cluster, pod)

    assert message == f'pods "web" is forbidden: violates PodSecurity "baseline:latest": {said}'


def test_a_workload_is_created_with_a_warning_and_its_pods_are_refused():
    cluster = a_cluster(nodes=1).with_objects(a_namespace("safe", enforce="restricted")).settle()

    cluster.create(in_namespace(a_deployment("web"), "safe"))
    warned = warnings_of(cluster)
    cluster.settle()

    quoted = f'would violate PodSecurity "restricted:latest": {RESTRICTED}'.replace('"', '\\"')
    assert warned == f'299 - "{quoted}"'
    assert cluster.objects("Pod", "safe") == []
    assert any("violates PodSecurity" in event["message"] for event in cluster.events("FailedCreate"))


def test_a_version_asks_what_was_asked_then():
    cluster = a_cluster(nodes=1).with_objects(a_namespace("old", enforce="restricted", enforce_version="v1.7")).settle()

    said = refusal(cluster, in_namespace(a_pod("web"), "old"))

    assert said == (
        'pods "web" is forbidden: violates PodSecurity "restricted:v1.7": runAsNonRoot != true (pod or container "app"'
        " must set securityContext.runAsNonRoot=true)"
    )


def test_a_label_that_means_nothing_is_refused():
    cluster = a_cluster(nodes=1)

    said = refusal(cluster, a_namespace("odd", enforce="strict", warn_version="1.30"))

    assert said == (
        'Namespace "odd" is invalid: [metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "strict":'
        " must be one of privileged, baseline, restricted,"
        ' metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.30": must be "latest" or "v1.x"]'
    )


def test_stricter_labels_warn_of_the_pods_that_are_there_and_leave_them_alone():
    cluster = a_cluster(nodes=1).with_objects(a_namespace("team")).settle()
    cluster.with_objects(in_namespace(a_deployment("web", replicas=3), "team")).settle()

    cluster.patch(a_namespace("team"), {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    warned = warnings_of(cluster)
    cluster.settle()

    assert "existing pods in namespace" in warned
    assert "(and 2 other pods): allowPrivilegeEscalation != false, unrestricted capabilities" in warned
    assert len(cluster.pods_of("web")) == 3


def test_an_open_namespace_is_not_asked():
    cluster = a_cluster(nodes=1)

    cluster.create(a_pod("web", hostNetwork=True))

    assert warnings_of(cluster) == ""


def test_an_old_pod_may_be_labelled_in_a_namespace_that_got_stricter():
    cluster = a_cluster(nodes=1).with_objects(a_pod("web"))
    cluster.patch(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}},
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}},
    )

    container = cluster.patch(a_pod("web"), {"metadata": {"labels": {"seen": "yes"}}})["spec"]["containers"][0]

    with pytest.raises(Refused, match="violates PodSecurity"):
        cluster.patch(a_pod("web"), {"spec": {"containers": [{**container, "image": "nginx:1.28"}]}})
