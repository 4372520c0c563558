"""Other requests and limits for pods that run: granted, put off, impossible, or below what is used."""

from typing import Any

from cluster.objects import Manifest, conditions
from tests.builders import TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, container, reasons, said
from tests.cluster.kubelet.test_eviction import a_priority_class


def a_pod(name: str, cpu: str = "1", memory: str = "1Gi", image: str = "nginx:1.27", **more: Any) -> Manifest:
    """Guaranteed so much."""
    amounts = {"cpu": cpu, "memory": memory}
    policy = more.pop("resizePolicy", None)
    pod = a_bound_pod(name, image, **more)
    pod["spec"]["containers"][0] |= {"resources": {"requests": amounts, "limits": amounts}}
    if policy:
        pod["spec"]["containers"][0]["resizePolicy"] = policy
    return pod


def resize(cluster: TestCluster, name: str, **amounts: str) -> None:
    path = f"/api/v1/namespaces/default/pods/{name}/resize"
    body = {"spec": {"containers": [{"name": "app", "resources": {"requests": amounts, "limits": amounts}}]}}
    cluster.request("PATCH", path, body, content_type="application/strategic-merge-patch+json")


def a_full_machine() -> TestCluster:
    """Of four CPUs, three are promised."""
    cluster = a_machine_room(nodes=1)
    for name in ("one", "two", "three"):
        cluster.create(a_pod(name))
    return cluster.run_for(20)


def condition(cluster: TestCluster, name: str, type_: str) -> tuple[str, str] | None:
    """(reason, message); None: there is no such condition."""
    found = conditions.get(cluster.get("Pod", name), type_)
    return None if found is None else (found.get("reason", ""), found.get("message", ""))


def pending(cluster: TestCluster, name: str) -> tuple[str, str] | None:
    return condition(cluster, name, "PodResizePending")


def progress(cluster: TestCluster, name: str) -> tuple[str, str] | None:
    return condition(cluster, name, "PodResizeInProgress")


def cpu_of(cluster: TestCluster, name: str) -> tuple[str, str]:
    """(requested, allocated and actual) CPU."""
    status = container(cluster, name)
    assert status["resources"]["requests"] == status["allocatedResources"]
    spec = cluster.get("Pod", name)["spec"]["containers"][0]["resources"]
    return spec["requests"]["cpu"], status["allocatedResources"]["cpu"]


def test_what_fits_is_in_progress_at_once_and_completed_a_second_later():
    cluster = a_full_machine()
    resize(cluster, "one", cpu="2")

    cluster.run_for(0.5)
    found = conditions.get(cluster.get("Pod", "one"), "PodResizeInProgress")
    assert (found["status"], found["observedGeneration"], "reason" in found) == ("True", 2, False)
    cluster.run_for(3)

    assert progress(cluster, "one") is None
    assert cpu_of(cluster, "one") == ("2", "2")
    assert container(cluster, "one")["restartCount"] == 0
    resources = '{"limits":{"cpu":"2","memory":"1Gi"},"requests":{"cpu":"2","memory":"1Gi"}}'
    summary = f'{{"containers":[{{"name":"app","resources":{resources}}}],"generation":2}}'
    assert said(cluster, "one")[-2:] == [
        ("ResizeStarted", f"Pod resize started: {summary}"),
        ("ResizeCompleted", f"Pod resize completed: {summary}"),
    ]


def test_what_does_not_fit_now_is_deferred_and_the_pod_keeps_what_it_has():
    cluster = a_full_machine()

    resize(cluster, "one", cpu="2500m")
    cluster.run_for(3)

    message = "Node didn't have enough resource: cpu, requested: 2500, used: 2000, capacity: 4000"
    assert pending(cluster, "one") == ("Deferred", message)
    assert cpu_of(cluster, "one") == ("2500m", "1")
    event = cluster.events("ResizeDeferred")[0]
    assert event["type"] == "Warning"
    assert event["message"].startswith('Pod resize Deferred: {"containers":[{"name":"app"')
    assert event["message"].endswith(f',"generation":2,"error":"{message}"}}')


def test_it_is_granted_as_soon_as_a_pod_makes_room():
    cluster = a_full_machine()
    resize(cluster, "one", cpu="2500m")
    cluster.run_for(3)

    cluster.delete(cluster.get("Pod", "two"))
    cluster.run_for(10)

    assert (pending(cluster, "one"), cpu_of(cluster, "one")) == (None, ("2500m", "2500m"))
    assert reasons(cluster, "one")[-2:] == ["ResizeStarted", "ResizeCompleted"]


def test_room_is_made_too_by_a_pod_that_takes_less():
    cluster = a_full_machine()
    resize(cluster, "one", cpu="2500m")
    cluster.run_for(3)

    resize(cluster, "two", cpu="500m")
    cluster.run_for(5)

    assert cpu_of(cluster, "one") == ("2500m", "2500m")


def test_what_the_node_never_had_is_infeasible():
    cluster = a_full_machine()

    resize(cluster, "one", memory="20Gi")
    cluster.run_for(3)

    message = "Node didn't have enough capacity: memory, requested: 21474836480, capacity: 8485076992"
    assert pending(cluster, "one") == ("Infeasible", message)
    assert cluster.events("ResizeInfeasible")[0]["message"].startswith("Pod resize Infeasible: {")
    cluster.delete(cluster.get("Pod", "two"))
    cluster.run_for(10)
    assert pending(cluster, "one") == ("Infeasible", message)


def test_who_gives_up_its_wish_is_no_longer_pending():
    cluster = a_full_machine()
    resize(cluster, "one", cpu="2500m")
    cluster.run_for(3)

    resize(cluster, "one", cpu="1")
    cluster.run_for(3)

    assert (pending(cluster, "one"), cpu_of(cluster, "one")) == (None, ("1", "1"))
    assert cluster.events("ResizeCompleted") == []


def test_of_several_the_one_with_the_highest_priority_is_first():
    cluster = a_machine_room(nodes=1)
    cluster.create(a_priority_class("important", 1000))
    cluster.create(a_pod("plain"))
    cluster.create(a_pod("important", priorityClassName="important"))
    cluster.create(a_pod("other", cpu="1500m"))
    cluster.run_for(20)
    for name in ("plain", "important"):
        resize(cluster, name, cpu="2500m")
        cluster.run_for(5)

    cluster.delete(cluster.get("Pod", "other"))
    cluster.run_for(10)

    assert cpu_of(cluster, "important") == ("2500m", "2500m")
    assert pending(cluster, "plain")[0] == "Deferred"


def test_a_pod_that_comes_later_counts_what_was_granted_and_not_what_is_desired():
    cluster = a_full_machine()
    resize(cluster, "one", cpu="2500m")
    cluster.run_for(3)

    cluster.create(a_pod("late"))
    cluster.run_for(10)

    assert container(cluster, "late")["ready"] is True


def test_a_limit_below_what_is_used_is_an_error_that_is_tried_again():
    cluster = a_machine_room(nodes=1)
    stress = {"command": ["stress"], "args": ["--vm", "1", "--vm-bytes", "300M"]}
    cluster.create(a_pod("hungry", memory="512Mi", image="polinux/stress", **stress))
    cluster.run_for(20)

    resize(cluster, "hungry", memory="128Mi")
    cluster.run_for(5)

    used = 300 << 20
    problem = (
        f"cannot decrease memory limits: [attempting to set pod memory limit (134217728) below current usage ({used}), "
        f'attempting to set container "app" memory limit (134217728) below current usage ({used})]'
    )
    assert progress(cluster, "hungry") == ("Error", problem)
    status = container(cluster, "hungry")
    assert (status["restartCount"], status["resources"]["limits"]["memory"]) == (0, "512Mi")
    assert status["allocatedResources"]["memory"] == "128Mi"
    assert "ResizeError" in reasons(cluster, "hungry")

    resize(cluster, "hungry", memory="400Mi")
    cluster.run_for(5)
    assert progress(cluster, "hungry") is None
    assert container(cluster, "hungry")["resources"]["limits"]["memory"] == "400Mi"


def test_a_container_that_is_restarted_for_it_completes_when_it_runs_again():
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    cluster = a_machine_room(nodes=1)
    cluster.create(a_pod("web", resizePolicy=policy))
    cluster.run_for(20)

    resize(cluster, "web", memory="64Mi")
    cluster.run_for(20)

    assert container(cluster, "web")["restartCount"] == 1
    assert container(cluster, "web")["resources"]["limits"]["memory"] == "64Mi"
    assert progress(cluster, "web") is None
    told = reasons(cluster, "web")
    assert told.index("ResizeStarted") < told.index("Killing") < told.index("ResizeCompleted")


def test_a_rebuilt_world_grants_the_same():
    cluster = a_full_machine()
    resize(cluster, "one", cpu="2500m")
    cluster.run_for(3)
    other = TestCluster(cluster.world.fork())

    for each in (cluster, other):
        each.delete(each.get("Pod", "two"))
        each.run_for(20)

    assert other.world.dump() == cluster.world.dump()
    assert cpu_of(other, "one") == ("2500m", "2500m")


def test_nothing_is_remembered_of_a_resize_that_is_over():
    cluster = a_full_machine()
    resize(cluster, "one", cpu="2")
    cluster.run_for(10)

    assert not [key for key in cluster.world.agenda.cells if "|m|resized/" in key]


# --- what the scheduler makes of it -----------------------------------------------------------------------------


def a_waiting_pod(name: str, cpu: str) -> Manifest:
    pod = a_pod(name, cpu=cpu)
    del pod["spec"]["nodeName"]
    return pod


def test_the_scheduler_counts_what_a_deferred_pod_desires():
    cluster = a_full_machine()
    resize(cluster, "one", cpu="2500m")
    cluster.run_for(3)

    cluster.create(a_waiting_pod("late", "500m"))
    cluster.run_for(5)

    assert "nodeName" not in cluster.get("Pod", "late")["spec"]


def test_the_scheduler_counts_what_was_granted_if_more_is_impossible():
    cluster = a_full_machine()
    resize(cluster, "one", cpu="100")
    cluster.run_for(3)

    cluster.create(a_waiting_pod("late", "500m"))
    cluster.run_for(10)

    assert container(cluster, "late")["ready"] is True


def test_a_pod_that_is_made_smaller_lets_a_waiting_one_in():
    cluster = a_full_machine()
    cluster.create(a_waiting_pod("late", "1500m"))
    cluster.run_for(3)

    resize(cluster, "one", cpu="500m")
    cluster.run_for(20)

    assert container(cluster, "late")["ready"] is True
