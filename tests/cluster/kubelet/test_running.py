"""A pod that was bound to a node becomes real there."""

import re

from tests.cluster.kubelet.cases import (
    a_bound_pod,
    a_machine_room,
    a_script,
    condition,
    container,
    phase,
    reasons,
    said,
    uid,
    writes_of,
)


def test_a_bound_pod_is_creating_its_container_and_then_runs():
    cluster = a_machine_room().with_objects(a_bound_pod("web"))

    cluster.run_for(0.1)
    assert phase(cluster, "web") == "Pending"
    assert container(cluster, "web")["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert condition(cluster.get("Pod", "web"), "Ready")["reason"] == "ContainersNotReady"

    cluster.run_for(10)
    assert phase(cluster, "web") == "Running"
    assert container(cluster, "web")["ready"] is True


def test_a_running_pod_has_an_address_of_its_node_s_range_and_every_condition():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)

    pod, node = cluster.get("Pod", "web"), cluster.get("Node", "worker-1")

    assert pod["status"]["podIP"].startswith(node["spec"]["podCIDR"].rpartition(".")[0])
    assert pod["status"]["hostIP"] == node["status"]["addresses"][0]["address"]
    assert {c["type"]: c["status"] for c in pod["status"]["conditions"]} == dict.fromkeys(
        ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
    )


def test_a_container_status_names_the_image_that_really_runs():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)

    status = container(cluster, "web")

    assert status["image"] == "docker.io/library/nginx:1.27"
    assert re.fullmatch(r"docker\.io/library/nginx@sha256:[0-9a-f]{64}", status["imageID"])
    assert re.fullmatch(r"containerd://[0-9a-f]{64}", status["containerID"])


def test_the_kubelet_says_what_it_does_in_the_real_words():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)

    events = said(cluster, "web")

    assert [reason for reason, _ in events] == ["Pulling", "Pulled", "Created", "Started"]
    assert events[0][1] == 'Pulling image "nginx:1.27"'
    assert re.fullmatch(
        r'Successfully pulled image "nginx:1\.27" in [\d.]+m?s \([\d.]+m?s including waiting\)\. '
        r"Image size: 72000000 bytes\.",
        events[1][1],
    )
    assert [message for _, message in events[2:]] == ["Container created", "Container started"]


def test_an_image_on_the_disk_is_not_pulled_again():
    cluster = a_machine_room().with_objects(a_bound_pod("one")).run_for(10)

    cluster.with_objects(a_bound_pod("two")).run_for(1)

    message = 'Container image "nginx:1.27" already present on machine and can be accessed by the pod'
    assert said(cluster, "two")[0] == ("Pulled", message)
    assert phase(cluster, "two") == "Running"


def test_two_writes_bring_a_pod_from_bound_to_running():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)

    assert writes_of(cluster, "web") == ["create", "update", "update"]


def test_looking_at_a_running_pod_for_an_hour_writes_nothing_about_it():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(10)
    before = cluster.get("Pod", "web")

    cluster.run_for(3600)

    assert cluster.get("Pod", "web") is before


def test_init_containers_run_one_after_the_other_before_the_containers():
    inits = [{"name": f"step-{n}", "image": "busybox", "command": ["sleep", "2"]} for n in (1, 2)]
    cluster = a_machine_room().with_objects(a_bound_pod("web", initContainers=inits))

    cluster.run_until(lambda c: "running" in container(c, "web", 0, "initContainerStatuses")["state"])
    assert container(cluster, "web", 1, "initContainerStatuses")["state"]["waiting"]["reason"] == "PodInitializing"
    message = condition(cluster.get("Pod", "web"), "Initialized")["message"]
    assert message == "containers with incomplete status: [step-1 step-2]"

    cluster.run_for(15)
    assert phase(cluster, "web") == "Running"
    assert container(cluster, "web", 1, "initContainerStatuses")["ready"] is True


def test_a_readiness_probe_s_initial_delay_is_waited_for():
    probe = {"httpGet": {"path": "/", "port": 80}, "initialDelaySeconds": 20}
    cluster = a_machine_room().with_objects(a_bound_pod("web", readinessProbe=probe)).run_for(10)

    assert phase(cluster, "web") == "Running"
    assert container(cluster, "web")["ready"] is False

    cluster.run_for(20)
    assert container(cluster, "web")["ready"] is True


def test_a_pod_that_ends_well_has_succeeded():
    pod = a_bound_pod("job", **a_script("echo done; sleep 1"), restartPolicy="Never")

    cluster = a_machine_room().with_objects(pod).run_for(10)

    assert phase(cluster, "job") == "Succeeded"
    assert container(cluster, "job")["state"]["terminated"]["reason"] == "Completed"
    assert condition(cluster.get("Pod", "job"), "Ready")["reason"] == "PodCompleted"


def test_a_pod_that_fails_and_may_not_restart_has_failed():
    script = "echo out of coffee > /dev/termination-log; exit 3"
    pod = a_bound_pod("job", **a_script(script), restartPolicy="Never")

    cluster = a_machine_room().with_objects(pod).run_for(10)

    ended = container(cluster, "job")["state"]["terminated"]
    assert phase(cluster, "job") == "Failed"
    assert (ended["exitCode"], ended["reason"], ended["message"]) == (3, "Error", "out of coffee")


def test_a_pod_waits_for_a_config_map_that_its_volume_names():
    volume = {"name": "settings", "configMap": {"name": "settings"}}
    cluster = a_machine_room().with_objects(a_bound_pod("web", volumes=[volume])).run_for(15)

    message = 'MountVolume.SetUp failed for volume "settings" : configmap "settings" not found'
    assert ("FailedMount", message) in said(cluster, "web")
    assert phase(cluster, "web") == "Pending"

    settings = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "settings"}, "data": {}}
    cluster.with_objects(settings).run_for(20)
    assert phase(cluster, "web") == "Running"


def test_a_container_waits_for_a_secret_that_its_environment_names():
    env = [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "vault", "key": "key"}}}]
    cluster = a_machine_room().with_objects(a_bound_pod("web", env=env)).run_for(10)

    waiting = {"reason": "CreateContainerConfigError", "message": 'secret "vault" not found'}
    assert container(cluster, "web")["state"]["waiting"] == waiting
    assert ("Failed", 'Error: secret "vault" not found') in said(cluster, "web")


def test_the_environment_knows_the_pod_s_own_fields():
    env = [
        {"name": "ME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "GREETING", "value": "hello $(ME)"},
    ]
    cluster = a_machine_room().with_objects(a_bound_pod("web", env=env)).run_for(10)

    record = cluster.world.cells["containers"][f"{uid(cluster, 'web')}/app/0"]

    own = {name: value for name, value in record["env"].items() if not name.startswith("KUBERNETES_")}
    assert own == {"ME": "web", "GREETING": "hello web"}
    assert record["env"]["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"


def test_the_environment_tells_of_the_services_of_the_namespace_unless_the_pod_wants_none():
    ports = [{"name": "http", "port": 80}]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "my-web"}, "spec": {"ports": ports}}
    cluster = a_machine_room().with_objects(service)
    cluster.with_objects(a_bound_pod("web"), a_bound_pod("alone", enableServiceLinks=False)).run_for(10)
    cells, address = cluster.world.cells["containers"], cluster.get("Service", "my-web")["spec"]["clusterIP"]

    env = cells[f"{uid(cluster, 'web')}/app/0"]["env"]

    assert env["MY_WEB_SERVICE_HOST"] == address
    assert env["MY_WEB_SERVICE_PORT_HTTP"] == "80"
    assert env["MY_WEB_PORT_80_TCP"] == f"tcp://{address}:80"
    assert "MY_WEB_SERVICE_HOST" not in cells[f"{uid(cluster, 'alone')}/app/0"]["env"]


def test_a_missing_image_backs_off():
    cluster = a_machine_room().with_objects(a_bound_pod("web", "nginx:bad"))

    cluster.run_until(lambda c: container(c, "web")["state"]["waiting"]["reason"] == "ErrImagePull", 10)
    assert "nginx:bad: not found" in container(cluster, "web")["state"]["waiting"]["message"]

    cluster.run_for(4)
    waiting = container(cluster, "web")["state"]["waiting"]
    assert waiting["reason"] == "ImagePullBackOff"
    assert waiting["message"].startswith('Back-off pulling image "nginx:bad": ErrImagePull: ')
    assert reasons(cluster, "web") == ["Pulling", "Failed", "Failed", "BackOff", "Failed"]

    cluster.run_for(300)
    counts = {e["message"]: e["count"] for e in cluster.events("BackOff")}
    assert counts == {'Back-off pulling image "nginx:bad"': 5}


def test_an_image_that_may_never_be_pulled_is_not():
    cluster = a_machine_room().with_objects(a_bound_pod("web", imagePullPolicy="Never")).run_for(5)

    message = 'Container image "nginx:1.27" is not present with pull policy of Never'
    assert container(cluster, "web")["state"]["waiting"] == {
        "reason": "ErrImageNeverPull",
        "message": message,
    }


def test_a_name_that_is_no_image_is_reported():
    cluster = a_machine_room().with_objects(a_bound_pod("web", "Nginx!")).run_for(5)

    assert container(cluster, "web")["state"]["waiting"]["reason"] == "InvalidImageName"
