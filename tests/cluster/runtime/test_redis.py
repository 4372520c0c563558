"""redis: what it answers, what is left of it when its pod goes, and its followers."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.runtime.live.files import Files
from cluster.runtime.live.servers import redis
from cluster.runtime.live.servers.place import Place
from tests.builders import TestCluster, a_cluster, a_pod, a_service
from tests.cluster.kubelet.cases import a_machine_room, container
from tests.cluster.kubelet.test_sessions import exec_, printed, type_


def a_redis(name: str = "db", *args: str, volume: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    pod = a_pod(name, "redis:8", command=["redis-server", *args], restartPolicy="Always", **more)
    pod["metadata"]["labels"] = {"app": name}
    if volume is not None:
        pod["spec"]["volumes"] = [{"name": "data", **volume}]
        pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    return pod


def cli(cluster: TestCluster, command: str, pod: str = "db") -> str:
    return printed(cluster, exec_(cluster, pod, "sh", "-c", f"redis-cli {command}"))


def a_room(*pods: dict[str, Any]) -> TestCluster:
    cluster = a_machine_room()
    for pod in pods:
        cluster.create(pod)
    return cluster.run_for(40)


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        ("set a 1; incr a; get a; append a x; strlen a; del a; get a", "OK\n2\n2\n2\n2\n1\n\n"),
        ("rpush l a b c; lrange l 0 -1; lpop l; llen l; get l", "3\na\nb\nc\na\n2\nWRONGTYPE Operation against a key"
         " holding the wrong kind of value\n\n"),
        ("hset h f 1 g 2; hget h f; hgetall h", "2\n1\nf\n1\ng\n2\n"),
        ("sadd s a b a; scard s; sismember s a", "2\n2\n1\n"),
        ("zadd z 2 b 1 a; zrange z 0 -1 withscores", "2\na\n1\nb\n2\n"),
        ("set t 1 ex 100; ttl t; persist t; ttl t; ttl none", "OK\n100\n1\n-1\n-2\n"),
        ("mset k1 a k2 b; keys k*; exists k1 k2 k3; dbsize", "OK\nk1\nk2\n2\n2\n"),
        ("nope; get", "ERR unknown command 'nope', with args beginning with: \n\n"
         "ERR wrong number of arguments for 'get' command\n\n"),
    ],
)  # fmt: skip
def test_commands_have_the_real_replies(commands: str, said: str):
    cluster = a_room(a_redis())

    found = printed(
        cluster, exec_(cluster, "db", "sh", "-c", f"printf '{commands.replace('; ', chr(92) + 'n')}' | redis-cli")
    )

    assert found == said


def test_a_key_expires_in_simulated_time():
    cluster = a_room(a_redis())
    cli(cluster, "set a 1 ex 30")

    assert cli(cluster, "get a") == "1\n"
    cluster.run_for(31)
    assert cli(cluster, "get a") == "\n"


def test_a_password_is_asked_for():
    cluster = a_room(a_redis("db", "--requirepass", "secret"))

    assert cli(cluster, "ping") == "NOAUTH Authentication required.\n\n"
    assert cli(cluster, "-a secret ping 2>/dev/null") == "PONG\n"
    assert "AUTH failed: WRONGPASS invalid username-password pair or user is disabled." in cli(cluster, "-a no ping")


def replaced(cluster: TestCluster, pod: dict[str, Any], grace: int = 30) -> None:
    cluster.delete(pod, gracePeriodSeconds=grace)
    cluster.run_until(lambda cluster: cluster.get("Pod", "db") is None, 60)
    cluster.create(pod)
    cluster.run_for(40)


def on_the_node(path: str) -> dict[str, Any]:
    return {"hostPath": {"path": path}}


def test_a_shutdown_saves_and_the_next_pod_on_the_disk_loads():
    pod = a_redis(volume=on_the_node("/mnt/redis"))
    cluster = a_room(pod)
    cli(cluster, "set a kept")

    replaced(cluster, pod)

    assert cli(cluster, "get a") == "kept\n"


def test_without_save_points_only_an_append_only_file_keeps_anything():
    for options, left in ((("--save", ""), "\n"), (("--save", "", "--appendonly", "yes"), "kept\n")):
        pod = a_redis("db", *options, volume=on_the_node("/mnt/redis"))
        cluster = a_room(pod)
        cli(cluster, "set a kept")

        replaced(cluster, pod)

        assert cli(cluster, "get a") == left


def test_without_a_volume_nothing_outlives_the_pod():
    pod = a_redis("db", "--appendonly", "yes")
    cluster = a_room(pod)
    cli(cluster, "set a 1")

    replaced(cluster, pod)

    assert cli(cluster, "get a") == "\n"


def test_the_configuration_is_that_of_the_file_at_the_start():
    cluster = a_machine_room()
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    cluster.create(config | {"data": {"redis.conf": "maxmemory 2mb\nmaxmemory-policy allkeys-lru\n"}})
    pod = a_redis("db", "/conf/redis.conf")
    pod["spec"]["volumes"] = [{"name": "conf", "configMap": {"name": "c"}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "conf", "mountPath": "/conf"}]
    cluster.create(pod)
    cluster.run_for(40)

    assert cli(cluster, "config get maxmemory") == "maxmemory\n2097152\n"
    assert cli(cluster, "config get maxmemory-policy") == "maxmemory-policy\nallkeys-lru\n"


def a_leader_and_a_follower() -> TestCluster:
    cluster = a_cluster(nodes=1, addons=["kube-proxy", "coredns"])
    cluster.create(a_service("leader", 6379))
    cluster.create(a_redis("leader"))
    cluster.run_for(60)
    cluster.create(a_redis("follower", "--replicaof", "leader", "6379"))
    return cluster.run_for(40)


def test_a_follower_has_what_its_leader_has_and_takes_no_writes():
    cluster = a_leader_and_a_follower()
    cli(cluster, "set a 1", "leader")

    assert cli(cluster, "get a", "follower") == "1\n"
    assert cli(cluster, "set a 2", "follower") == "READONLY You can't write against a read only replica.\n\n"
    assert "role:slave\n" in cli(cluster, "info replication", "follower").replace("\r", "")
    leader = cli(cluster, "info replication", "leader").replace("\r", "")
    assert "role:master\nconnected_slaves:1\n" in leader


def test_what_the_follower_has_outlives_the_leader_without_having_been_asked():
    cluster = a_leader_and_a_follower()
    cli(cluster, "set a 1", "leader")
    cluster.delete(a_redis("leader"), gracePeriodSeconds=0)
    cluster.run_for(20)

    assert cli(cluster, "get a", "follower") == "1\n"
    assert "master_link_status:down" in cli(cluster, "info replication", "follower")


def test_redis_cli_talks_at_a_terminal():
    cluster = a_room(a_redis())
    session = exec_(cluster, "db", "redis-cli", tty=True, stdin=True)
    typed = ('set a "b c"', "get a", "incr n", "keys *", "get none", "oops", "multi", "incr n", "exec", "exit")
    for text in typed:
        type_(cluster, session, f"{text}\n")

    prompt = "127.0.0.1:6379> "
    assert printed(cluster, session).replace("\r\n", "\n") == (
        f'{prompt}set a "b c"\nOK\n{prompt}get a\n"b c"\n{prompt}incr n\n(integer) 1\n{prompt}keys *\n1) "a"\n2) "n"\n'
        f"{prompt}get none\n(nil)\n{prompt}oops\n(error) ERR unknown command 'oops', with args beginning with: \n"
        f"{prompt}multi\nOK\n127.0.0.1:6379(TX)> incr n\nQUEUED\n127.0.0.1:6379(TX)> exec\n1) (integer) 2\n"
        f"{prompt}exit\n"
    )


def test_a_restarted_container_has_what_was_saved_in_its_emptydir():
    cluster = a_room(a_redis(volume={"emptyDir": {}}))
    cli(cluster, "set a 1")
    exec_(cluster, "db", "kill", "1")
    cluster.run_for(30)

    assert container(cluster, "db")["restartCount"] == 1
    assert cli(cluster, "get a") == "1\n"


WORDS = st.one_of(
    st.sampled_from([*redis.COMMANDS]), st.sampled_from(["a", "0", "-1", "x*", "[", "\xb2", "1e9", "nx", "ex", ""])
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.lists(WORDS, min_size=1, max_size=5), max_size=4), st.binary(max_size=40))
def test_any_words_and_any_bytes_get_an_answer_or_patience(commands: list[list[str]], data: bytes):
    place = Place(Files({}, {"own": {}}, "own", [], 1), {}, datetime(2026, 11, 25, tzinfo=UTC), 1, ("redis-server",))
    redis.start(place)
    given = "".join(redis.request(*words) for words in commands) + data.decode("latin-1")

    assert 0 <= redis.serve(place, 6379, given).taken <= len(given)
