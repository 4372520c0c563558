"""LimitRanger: completes what is missing, and judges what is there."""

from tests.builders import a_cluster, a_pod
from tests.cluster.apiserver.admission.words import a_limit_range, a_sized_pod, refusal


def test_a_container_without_numbers_gets_the_namespaces_own():
    limits = a_limit_range("lr", default={"cpu": "500m"}, defaultRequest={"cpu": "100m"})
    cluster = a_cluster(nodes=1).with_objects(limits)

    pod = cluster.create(a_pod("web"))

    assert pod["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "100m"}, "limits": {"cpu": "500m"}}
    assert pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: cpu request for container app; cpu limit for container app"
    )
    assert pod["status"]["qosClass"] == "Burstable"


def test_init_containers_are_completed_after_the_others():
    cluster = a_cluster(nodes=1).with_objects(a_limit_range("lr", defaultRequest={"memory": "64Mi"}))

    pod = cluster.create(a_pod("web", initContainers=[{"name": "first", "image": "busybox"}]))

    assert pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: memory request for container app; memory request for init container first"
    )


def test_everything_that_is_wrong_is_said_at_once():
    limits = a_limit_range("lr", min={"cpu": "20m"}, max={"cpu": "2"}, maxLimitRequestRatio={"cpu": "10"})
    cluster = a_cluster(nodes=1).with_objects(limits)

    said = refusal(cluster, a_sized_pod("web", "10m", "8"))

    assert said == (
        'pods "web" is forbidden: [minimum cpu usage per Container is 20m, but request is 10m, maximum cpu usage per'
        " Container is 2, but limit is 8, cpu max limit to request ratio per Container is 10, but provided ratio is"
        " 800.000000]"
    )


def test_a_pod_as_a_whole_may_be_limited():
    limits = a_limit_range("lr", type="Pod", max={"cpu": "1"})
    cluster = a_cluster(nodes=1).with_objects(limits)
    two = [{"name": name, "image": "nginx", "resources": {"limits": {"cpu": "600m"}}} for name in ("a", "b")]

    said = refusal(cluster, {**a_pod("web"), "spec": {"containers": two}})

    assert said == 'pods "web" is forbidden: maximum cpu usage per Pod is 1, but limit is 1200m'
