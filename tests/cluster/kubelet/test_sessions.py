"""Exec, attach and port-forward as inputs of a world: recorded, replayed, and kept through everything."""

from typing import Any

import pytest

from cluster.world import World, replay
from tests.builders import Refused, TestCluster
from tests.cluster.kubelet.cases import a_bound_pod, a_machine_room, a_script, container, phase, said


def a_room() -> TestCluster:
    cluster = a_machine_room()
    cluster.create(a_bound_pod("web"))
    cluster.create(a_bound_pod("box", **a_script("sleep 100000")))
    return cluster.run_for(30)


def exec_(cluster: TestCluster, pod: str, *command: str, tty: bool = False, stdin: bool = False, **more: Any) -> str:
    wanted = {"namespace": "default", "pod": pod, "command": list(command), "tty": tty, "stdin": stdin, **more}
    return str(cluster.act("exec", **wanted)["session"])


def printed(cluster: TestCluster, session: str) -> str:
    chunks = [chunk for _, chunk in cluster.world.cells["sessions"].prefixed(f"{session}/out/")]
    return "".join(text for chunk in chunks for _, text in chunk["parts"])


def code(cluster: TestCluster, session: str) -> int | None:
    return cluster.world.cells["sessions"][session]["code"]  # type: ignore[no-any-return]


def type_(cluster: TestCluster, session: str, text: str) -> None:
    cluster.act("stream", session=session, op="stdin", data=text)


def test_a_command_sees_its_container():
    cluster = a_room()

    session = exec_(cluster, "web", "sh", "-c", "hostname; ls /usr/share/nginx/html; head -1 /etc/resolv.conf; exit 3")

    assert printed(cluster, session).splitlines() == [
        "web",
        "50x.html",
        "index.html",
        "search default.svc.cluster.local svc.cluster.local cluster.local",
    ]
    assert code(cluster, session) == 3


def test_long_commands_run_in_simulated_time():
    cluster = a_room()
    session = exec_(cluster, "box", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 10; done")

    assert printed(cluster, session) == "1\n"
    cluster.run_for(25)
    assert (printed(cluster, session), code(cluster, session)) == ("1\n2\n3\n", None)
    cluster.run_for(10)
    assert code(cluster, session) == 0


def test_files_stay_as_long_as_the_container():
    cluster = a_room()
    exec_(cluster, "box", "sh", "-c", "echo kept > /tmp/f")

    assert printed(cluster, exec_(cluster, "box", "cat", "/tmp/f")) == "kept\n"

    cluster.delete(a_bound_pod("box"), gracePeriodSeconds=0)
    cluster.run_for(10)
    assert not [key for key in cluster.world.cells["disks"] if "/tmp" in str(cluster.world.cells["disks"][key])]
    assert all("box" not in str(cell) for _, cell in cluster.world.cells["sessions"].prefixed("") if "code" in cell)


def test_volumes_are_shared_and_config_maps_can_be_read():
    cluster = a_machine_room()
    cluster.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"k": "v\n"}})
    pod = a_bound_pod("pair", **a_script("sleep 1000"))
    mounts = [{"name": "shared", "mountPath": "/shared"}, {"name": "config", "mountPath": "/config"}]
    pod["spec"]["volumes"] = [{"name": "shared", "emptyDir": {}}, {"name": "config", "configMap": {"name": "c"}}]
    first = {**pod["spec"]["containers"][0], "volumeMounts": mounts}
    pod["spec"]["containers"] = [first, {**first, "name": "other"}]
    cluster.create(pod)
    cluster.run_for(20)

    exec_(cluster, "pair", "sh", "-c", "cat /config/k > /shared/f", container="app")

    assert printed(cluster, exec_(cluster, "pair", "cat", "/shared/f", container="other")) == "v\n"


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        ({"pod": "none", "command": ["ls"]}, 404, 'pods "none" not found'),
        ({"pod": "box", "command": ["ls"], "container": "x"}, 400, "container x is not valid for pod box"),
        ({"pod": "box", "command": []}, 400, "you must specify at least one command for the container"),
        ({"pod": "box", "command": ["nope"]}, 500, 'exec: "nope": executable file not found in $PATH'),
        ({"pod": "box", "command": ["/bin/nope"]}, 500, "stat /bin/nope: no such file or directory"),
        ({"pod": "box", "command": ["/etc/passwd"]}, 500, 'exec: "/etc/passwd": permission denied'),
        ({"pod": "early", "command": ["ls"]}, 400, "pod early does not have a host assigned"),
        ({"pod": "stuck", "command": ["ls"]}, 500, 'unable to upgrade connection: container not found ("app")'),
    ],
)
def test_refusals_have_the_real_words(request_: dict[str, Any], status: int, message: str):
    cluster = a_room()
    cluster.create(a_bound_pod("early", node="", nodeSelector={"no": "where"}))
    cluster.create(a_bound_pod("stuck", "nginx:bad"))
    cluster.run_for(5)

    with pytest.raises(Refused) as refused:
        cluster.act("exec", namespace="default", **request_)

    assert refused.value.status == status
    assert message in refused.value.body["message"]


def test_a_dead_node_cannot_be_dialled_and_its_sessions_are_gone():
    cluster = a_room()
    session = exec_(cluster, "box", "sleep", "100")

    cluster.power_off("worker-1")

    assert session not in cluster.world.cells["sessions"]
    with pytest.raises(Refused) as refused:
        exec_(cluster, "box", "ls")
    assert "dial tcp 10.0.0.2:10250: connect: no route to host" in refused.value.body["message"]


def test_killing_process_1_restarts_the_container():
    cluster = a_room()

    exec_(cluster, "web", "kill", "1")
    cluster.run_for(5)

    assert container(cluster, "web")["restartCount"] == 1
    assert "Started" in [reason for reason, _ in said(cluster, "web")]


def a_typewriter(**more: Any) -> TestCluster:
    """A cluster with a pod `it` whose process 1 is a shell at a terminal."""
    cluster = a_machine_room()
    pod = a_bound_pod("it", "busybox:1.36", restartPolicy="Never")
    pod["spec"]["containers"][0] |= {"stdin": True, "tty": True, **more}
    cluster.create(pod)
    return cluster.run_for(15)


def test_process_1_can_be_typed_into_and_its_end_is_the_containers():
    cluster = a_typewriter()
    begun = cluster.act("attach", namespace="default", pod="it")

    type_(cluster, begun["session"], "hostname\r")
    assert printed(cluster, begun["session"]) == "/ # hostname\r\nit\r\n/ # "
    type_(cluster, begun["session"], "exit 7\r")
    cluster.run_for(3)

    assert container(cluster, "it")["state"]["terminated"]["exitCode"] == 7
    assert phase(cluster, "it") == "Failed"


def test_a_shell_at_a_terminal_takes_the_whole_grace_period_to_die():
    cluster = a_typewriter()

    cluster.delete(a_bound_pod("it"), gracePeriodSeconds=20)
    cluster.run_for(15)
    assert phase(cluster, "it") == "Running"
    cluster.run_for(10)
    assert phase(cluster, "it") == "gone"


def test_a_request_to_nginx_is_in_its_log():
    cluster = a_room()
    session = cluster.act("port-forward", namespace="default", pod="web")["session"]
    assert cluster.act("stream", session=session, op="open", connection="0", port=81) == {"refused": True}
    assert cluster.act("stream", session=session, op="open", connection="1", port=80) == {}

    cluster.act("stream", session=session, op="data", connection="1", data="GET /x HTTP/1.1\r\nHost: h\r\n\r\n")

    assert printed(cluster, session).startswith("HTTP/1.1 404 Not Found\r\nServer: nginx/1.27.0\r\n")
    record = cluster.world.cells["containers"][
        next(k for k in cluster.world.cells["containers"] if k.endswith("/app/0"))
    ]
    lines = [text for r in cluster.world.cells["containers"].data.values() for _, text in r.get("traffic", ())]
    assert len(lines) == 1, record
    assert '"GET /x HTTP/1.1" 404' in lines[0]


def test_output_that_nobody_reads_stops_the_program():
    cluster = a_room()
    session = exec_(cluster, "box", "yes")
    cluster.run_for(60)
    written = cluster.world.cells["sessions"][session]["written"]

    cluster.run_for(60)
    assert cluster.world.cells["sessions"][session]["written"] == written
    cluster.act("stream", session=session, op="ack", offset=written)
    cluster.run_for(1)

    now_written = cluster.world.cells["sessions"][session]["written"]
    assert now_written > written
    assert len(printed(cluster, session)) == now_written - written


def test_a_container_takes_so_many_sessions_and_no_more():
    cluster = a_room()
    for _ in range(32):
        exec_(cluster, "box", "sleep", "1000")

    with pytest.raises(Refused) as refused:
        exec_(cluster, "box", "ls")

    assert "has 32 sessions already" in refused.value.body["message"]


def test_whoever_leaves_a_command_without_terminal_lets_it_go_on():
    cluster = a_room()
    session = exec_(cluster, "box", "sh", "-c", "sleep 5; echo late > /tmp/late")
    cluster.act("stream", session=session, op="left")

    cluster.run_for(10)

    assert session not in cluster.world.cells["sessions"]
    assert printed(cluster, exec_(cluster, "box", "cat", "/tmp/late")) == "late\n"


def test_a_world_that_is_rebuilt_goes_on_with_every_session():
    resident = a_room()
    shell = exec_(resident, "web", "sh", tty=True, stdin=True)
    loop = exec_(resident, "box", "sh", "-c", "i=0; while true; do i=$((i+1)); echo $i; sleep 1; done | grep -v 3")
    type_(resident, shell, "x=5; f() { echo in $x; }\r")
    resident.run_for(2)

    rebuilt = World.restore(resident.world.checkpoint_body(), resident.world.objects())
    assert rebuilt.dump() == resident.world.dump()
    for world in (resident.world, rebuilt):
        world.execute("typed", {"type": "stream", "session": shell, "op": "stdin", "data": "f\r"})
        world.run(world.now + 5_000_000)

    assert rebuilt.dump() == resident.world.dump()
    assert printed(resident, shell).endswith("in 5\r\n# ")
    assert printed(resident, loop) == "1\n2\n4\n5\n6\n7\n8\n"


def test_a_life_with_typing_can_be_replayed():
    cluster = a_room()
    shell = exec_(cluster, "web", "bash", tty=True, stdin=True)
    for line in ("echo $RANDOM > /tmp/r; cat /tmp/r\r", "curl -s localhost | wc -c\r", "sleep 3; date\r"):
        type_(cluster, shell, line)
    cluster.run_for(10)

    again = replay(cluster.world.export(), slice_steps=7)

    assert again.dump() == cluster.world.dump()


def test_a_sub_path_of_a_config_map_is_that_file_and_no_other_whose_name_begins_so():
    cluster = a_machine_room()
    data = {"app": "one\n", "app.conf": "two\n"}
    cluster.create({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": data})
    pod = a_bound_pod("box", **a_script("sleep 1000"))
    pod["spec"]["volumes"] = [{"name": "config", "configMap": {"name": "c"}}]
    mount = {"name": "config", "mountPath": "/etc/app", "subPath": "app"}
    pod["spec"]["containers"][0]["volumeMounts"] = [mount]
    cluster.create(pod)
    cluster.run_for(20)

    assert printed(cluster, exec_(cluster, "box", "cat", "/etc/app")) == "one\n"
    assert printed(cluster, exec_(cluster, "box", "sh", "-c", "ls -d /etc/app*")) == "/etc/app\n"
    assert "No such file" in printed(cluster, exec_(cluster, "box", "sh", "-c", "ls /etc/app/.conf 2>&1"))


def test_containers_of_a_pod_reach_one_another_by_localhost():
    cluster = a_machine_room()
    app = {"name": "shop", "image": "acme/shop:1", "ports": [{"containerPort": 8080}]}
    pod = a_bound_pod("both")
    pod["spec"]["containers"] += [{"name": "box", "image": "busybox:1.36", "command": ["sleep", "100000"]}, app]
    cluster.create(pod)
    cluster.run_for(30)

    text = "wget -qO- localhost | grep -c Welcome; wget -qO- 127.0.0.1:8080 | head -n 1; nc -zv localhost 81 2>&1"
    asked = exec_(cluster, "both", "sh", "-c", text, container="box")

    assert printed(cluster, asked).splitlines() == [
        "2",
        "orrery: port 8080 of both",
        "nc: localhost (127.0.0.1:81): Connection refused",
    ]


def test_a_pod_sees_its_interface_and_its_way_out():
    cluster = a_room()
    address = cluster.get("Pod", "box")["status"]["podIP"]
    network = address.rpartition(".")[0]

    text = "ip -4 addr show eth0 | grep inet; ip route; ifconfig eth0 | head -n 2; route -n"
    asked = exec_(cluster, "box", "sh", "-c", text)

    hardware = ":".join(f"{int(part):02X}" for part in address.split("."))
    assert printed(cluster, asked).splitlines() == [
        f"    inet {address}/24 brd {network}.255 scope global eth0",
        f"default via {network}.1 dev eth0 ",
        f"{network}.0/24 dev eth0 scope link  src {address} ",
        f"eth0      Link encap:Ethernet  HWaddr 0A:58:{hardware}  ",
        f"          inet addr:{address}  Bcast:{network}.255  Mask:255.255.255.0",
        "Kernel IP routing table",
        "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface",
        f"0.0.0.0         {network + '.1':<15} 0.0.0.0         UG    0      0        0 eth0",
        f"{network + '.0':<15} 0.0.0.0         255.255.255.0   U     0      0        0 eth0",
    ]
    assert printed(cluster, exec_(cluster, "box", "ip", "link", "set", "eth0", "down")) == (
        "ip: RTNETLINK answers: Operation not permitted\n"
    )
