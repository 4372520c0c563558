"""What kubectl debug makes: a container that looks into another one, and a pod that looks into a machine."""

from cluster.objects import Manifest
from tests.builders import TestCluster, a_pod
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, a_script, container, phase, said
from tests.cluster.kubelet.test_looking_in import debug
from tests.cluster.kubelet.test_sessions import code, exec_, printed
from tests.cluster.kubelet.test_static_pods import WEB


def told(cluster: TestCluster, pod: str, command: str, where: str = "debugger") -> str:
    """What a shell in a container says to a command."""
    return printed(cluster, exec_(cluster, pod, "sh", "-c", command, container=where))


def a_debugged_pod(**app: object) -> TestCluster:
    """A pod `web` whose container `app` is looked into by `debugger`."""
    cluster = a_machine_room().with_objects(a_bound_pod("web", **app)).run_for(15)
    debug(cluster, "web", "debugger", stdin=True, tty=True)
    return cluster.run_for(10)


# --- --target ---------------------------------------------------------------------------------------------------


def test_a_debugger_sees_the_processes_of_its_target_and_the_target_those_of_the_debugger():
    cluster = a_debugged_pod()

    seen = told(cluster, "web", "ps")
    assert "nginx: master process" in seen
    assert "nginx: worker process" in seen
    assert "    1 root      0:00 nginx: master process" in seen
    assert " sh\n" in told(cluster, "web", "ps aux", where="app")


def test_without_a_target_it_sees_only_its_own():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(15)
    debug(cluster, "web", "debugger", stdin=True, tty=True, targetContainerName=None)
    cluster.run_for(10)

    assert "nginx" not in told(cluster, "web", "ps")


def test_the_target_s_files_are_under_the_root_of_its_first_process():
    cluster = a_debugged_pod()

    assert "index.html" in told(cluster, "web", "ls /proc/1/root/usr/share/nginx/html")
    told(cluster, "web", "echo changed > /proc/1/root/usr/share/nginx/html/index.html")
    assert told(cluster, "web", "cat /usr/share/nginx/html/index.html", where="app") == "changed\n"
    told(cluster, "web", "rm /proc/1/root/usr/share/nginx/html/50x.html")
    assert told(cluster, "web", "ls /usr/share/nginx/html", where="app") == "index.html\n"
    assert told(cluster, "web", "ls /usr/share").strip() != "nginx"


def test_a_debugger_may_end_its_target_and_ends_with_it():
    cluster = a_debugged_pod()

    told(cluster, "web", "kill 1")
    cluster.run_for(5)

    assert container(cluster, "web")["restartCount"] == 1
    ended = container(cluster, "web", 0, "ephemeralContainerStatuses")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "Error")


def test_it_can_be_aimed_at_a_sidecar():
    pod = a_bound_pod("web")
    side = {"name": "side", "restartPolicy": "Always", **a_script("while true; do sleep 7; done")}
    pod["spec"]["initContainers"] = [side]
    cluster = a_machine_room().with_objects(pod).run_for(15)
    debug(cluster, "web", "debugger", stdin=True, tty=True, targetContainerName="side")
    cluster.run_for(10)

    assert "while true" in told(cluster, "web", "ps")


def test_a_target_that_does_not_run_can_t_be_joined_and_is_tried_again():
    cluster = a_machine_room().with_objects(a_bound_pod("web", **a_script("sleep 5; exit 1"))).run_for(80)
    debug(cluster, "web", "debugger", stdin=True, tty=True)
    cluster.run_for(5)

    waiting = container(cluster, "web", 0, "ephemeralContainerStatuses")["state"]["waiting"]
    assert waiting["reason"] == "CreateContainerError"
    assert waiting["message"].endswith("is not running - in state CONTAINER_EXITED")
    assert ("Failed", f"Error: {waiting['message']}") in said(cluster, "web")


def test_a_debugger_goes_on_in_a_rebuilt_world():
    cluster = a_debugged_pod()
    exec_(cluster, "web", "sh", "-c", "sleep 20; kill 1", container="debugger")

    fork = cluster.world.fork()
    for world in (fork, cluster.world):
        while not world.run(world.now + 60_000_000):
            world.commit()

    assert fork.dump() == cluster.world.dump()


def test_a_debugger_may_be_a_single_command_whose_output_is_its_log():
    cluster = a_machine_room().with_objects(a_bound_pod("web")).run_for(15)
    debug(cluster, "web", "debugger", command=["ps"])
    cluster.run_for(10)

    ended = container(cluster, "web", 0, "ephemeralContainerStatuses")["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    record = next(r for r in cluster.world.cells["containers"].data.values() if r.get("name") == "debugger")
    assert "nginx: master process" in "".join(text for _, _, text in record["printed"])


# --- nodes ------------------------------------------------------------------------------------------------------


def a_node_debugger(**volume: object) -> Manifest:
    """What kubectl debug node/worker-1 makes."""
    pod = a_pod("look", "busybox:1.36", nodeName="worker-1", hostNetwork=True, hostPID=True, restartPolicy="Never")
    pod["spec"]["containers"][0] |= {"stdin": True, "tty": True}
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "host-root", "mountPath": "/host"}]
    pod["spec"]["volumes"] = [{"name": "host-root", "hostPath": {"path": "/", **volume}}]
    return pod


def a_debugged_node() -> TestCluster:
    cluster = a_machine_room()
    cluster.act("static-pod", node="worker-1", op="add", file="web.yaml", text=WEB)
    return cluster.with_objects(a_node_debugger()).run_for(20)


def look(cluster: TestCluster, command: str) -> str:
    return told(cluster, "look", command, where="app")


def test_a_pod_on_its_node_s_network_has_the_node_s_name():
    cluster = a_debugged_node()

    assert look(cluster, "hostname; cat /etc/hostname; echo $HOSTNAME") == "worker-1\n" * 3


def test_with_the_host_s_processes_it_sees_kubelet_and_every_container_and_the_machine_s_root():
    cluster = a_debugged_node()

    seen = look(cluster, "ps")
    assert "    1 root      0:00 /sbin/init" in seen
    assert "/usr/bin/kubelet --config=/var/lib/kubelet/config.yaml" in seen
    assert "nginx -g daemon off;" in seen
    assert "/usr/bin/containerd" in seen
    assert look(cluster, "cat /proc/1/root/etc/hostname; ls /proc/1/root/etc/kubernetes/manifests") == (
        "worker-1\nweb.yaml\n"
    )


def test_a_pod_may_have_a_hostname_of_its_own():
    cluster = a_machine_room().with_objects(a_bound_pod("web", hostname="shop")).run_for(15)

    assert told(cluster, "web", "hostname", where="app") == "shop\n"


def test_the_machine_s_disk_is_below_its_mount():
    cluster = a_debugged_node()

    assert {"bin", "etc", "var"} <= set(look(cluster, "ls /host").split())
    assert "bookworm" in look(cluster, "cat /host/etc/os-release")
    assert look(cluster, "cat /host/etc/kubernetes/manifests/web.yaml") == WEB
    assert "staticPodPath: /etc/kubernetes/manifests" in look(cluster, "cat /host/var/lib/kubelet/config.yaml")


def test_chroot_makes_it_the_whole_world_of_a_shell_and_of_what_that_starts():
    cluster = a_debugged_node()

    said_there = look(
        cluster, "chroot /host sh -c 'cat /etc/hostname; cd /etc/kubernetes; ls manifests | cat; pwd'; pwd"
    )
    assert said_there == "worker-1\nweb.yaml\n/etc/kubernetes\n/\n"
    look(cluster, "chroot /host sh -c 'echo 1 > /etc/mark; rm /etc/debian_version'")
    assert look(cluster, "cat /host/etc/mark; ls /host/etc/debian_version") == (
        "1\nls: /host/etc/debian_version: No such file or directory\n"
    )
    assert (
        look(cluster, "chroot /nowhere")
        == "chroot: can't change root directory to '/nowhere': No such file or directory\n"
    )


def test_the_machine_s_shell_has_crictl_which_asks_the_machine_s_runtime():
    cluster = a_debugged_node()

    assert look(cluster, "crictl ps") == "sh: crictl: not found\n"
    identity = look(cluster, "chroot /host crictl ps -q --name app | head -n 1").strip()
    assert look(cluster, f"chroot /host crictl ps --pod '' | grep -c {identity[:13]}") == "1\n"
    assert look(cluster, f"chroot /host crictl logs {identity[:13]} 2>&1 | grep -c 'start worker'").strip() != "0"
    assert f'"id": "{identity}"' in look(cluster, f"chroot /host crictl inspect {identity[:5]}")
    assert "docker.io/library/busybox" in look(cluster, "chroot /host crictl images")
    assert "Ready" in look(cluster, "chroot /host crictl pods --name web")
    assert look(cluster, "chroot /host crictl inspect beef") == (
        'FATA[0000] getting the status of the container "beef": rpc error: code = NotFound desc = an error occurred '
        'when try to find container "beef": not found\n'
    )


def test_a_log_is_followed_in_the_machine_s_shell_each_line_once():
    cluster = a_debugged_node()
    cluster.create(a_bound_pod("ticking", **a_script("while true; do date; sleep 1; done")))
    cluster.run_for(10)
    identity = look(cluster, "chroot /host crictl ps -q --name app --last 1").strip()

    follow = f"timeout 5 chroot /host crictl logs -f --tail 2 {identity}; echo over"
    session = exec_(cluster, "look", "sh", "-c", follow, container="app")
    cluster.run_for(8)

    *lines, last = printed(cluster, session).splitlines()
    assert last == "over"
    assert len(lines) == len(set(lines)) >= 6


def test_a_manifest_that_a_pod_writes_on_its_machine_is_run_by_the_kubelet():
    cluster = a_debugged_node()

    look(cluster, "sed s/web/mine/ /host/etc/kubernetes/manifests/web.yaml > /host/etc/kubernetes/manifests/mine.yaml")
    cluster.run_for(30)
    assert phase(cluster, "mine-worker-1") == "Running"

    look(cluster, "rm /host/etc/kubernetes/manifests/mine.yaml")
    cluster.run_for(40)
    assert phase(cluster, "mine-worker-1") == "gone"


def test_what_it_wrote_is_still_there_after_a_power_cut():
    cluster = a_debugged_node()
    session = exec_(cluster, "look", "sh", "-c", "echo kept > /host/root/f", container="app")
    assert code(cluster, session) == 0

    cluster.power_off("worker-1")
    cluster.run_for(5)
    cluster.power_on("worker-1")
    cluster.create({**a_node_debugger(), "metadata": {"name": "again"}})
    cluster.run_for(30)

    assert told(cluster, "again", "cat /host/root/f", where="app") == "kept\n"
