"""A life: what people and accidents do to a cluster, one after another. Hypothesis makes them up.

An action is plain data, so that a failing life can be read and lived again: `("scale", "web", 3)`. Whatever the API
server refuses is refused; that is part of life.
"""

import re
from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import strategies as st

from cluster.kubelet.kubelet import Kubelet
from cluster.objects import Manifest, meta
from cluster.world import World
from tests.builders import Refused, TestCluster, a_cluster, a_deployment, a_pod, a_replicaset, a_service
from tests.cluster.flows.conftest import OBJECTS, PATH, a_load_generator

Action = tuple[Any, ...]
NAMES = ("a", "b")
NODES = ("worker-1", "worker-2", "worker-3")
CONTROLLERS = (
    "replicaset-controller",
    "deployment-controller",
    "node-lifecycle-controller",
    "endpoint-slice-controller",
)
PROCESSES = ("kube-scheduler/1", "kube-controller-manager/1")
MEMBERS = ("etcd-0", "etcd-1", "etcd-2")
SCRIPTS = {
    "awk": ["sh", "-c", "seq 1 9999 | awk '{ s += $1; print s; system(1) }'; sleep 9"],
    "chatter": ["sh", "-c", "while true; do echo 'a line that makes its log grow'; sleep 0.01; done"],
    "filler": ["sh", "-c", "while true; do dd if=/dev/zero of=/tmp/$RANDOM bs=1M count=900; sleep 5; done"],
    "reader": ["sh", "-c", "while true; do read line; echo got $line; sleep 3; done"],
}
COMMANDS = ("echo x >> /tmp/x; cat /tmp/x", "kill 1", "yes | head -n 3000", "fallocate -l 30G /tmp/big", "rm -rf /tmp")
TAINT = {"key": "tired", "effect": "NoExecute"}

OUTAGE = re.compile("etcdserver|error (executing command in container|dialing)|unable to upgrade connection|dial tcp")

names, nodes = st.sampled_from(NAMES), st.sampled_from(NODES)
numbers = st.integers(0, 4)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("deployment"), names, numbers, st.sampled_from(["100m", "1500m"])),
    st.tuples(st.just("statefulset"), names, st.integers(0, 3), st.sampled_from(["OrderedReady", "Parallel"])),
    st.tuples(st.just("daemonset"), names),
    st.tuples(st.just("job"), names, st.integers(1, 3), st.sampled_from(["exit 0", "exit 1", "sleep 20"])),
    st.tuples(st.just("replicaset"), names, numbers),
    st.tuples(st.just("pod"), names, st.sampled_from(["Always", "Never"])),
    st.tuples(st.just("service"), names),
    st.tuples(st.just("budget"), names, st.integers(0, 3)),
    st.tuples(st.just("quota"), st.integers(1, 12)),
    st.tuples(st.just("scale"), st.sampled_from(["Deployment", "StatefulSet", "ReplicaSet"]), names, numbers),
    st.tuples(st.just("image"), st.sampled_from(["Deployment", "StatefulSet", "DaemonSet"]), names, st.integers(1, 3)),
    st.tuples(
        st.just("delete"),
        st.sampled_from(["Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicaSet", "Service", "Pod"]),
        names,
        st.sampled_from(["Background", "Foreground", "Orphan"]),
    ),
    st.tuples(st.just("delete-pod"), st.integers(0, 20), st.sampled_from([None, 0])),
    st.tuples(st.just("evict"), st.integers(0, 20)),
    st.tuples(st.just("relabel-pod"), st.integers(0, 20)),
    st.tuples(st.just("power-off"), nodes),
    st.tuples(st.just("power-on"), nodes),
    st.tuples(st.just("runtime"), nodes, st.sampled_from(["stop", "start"])),
    st.tuples(st.just("cordon"), nodes, st.booleans()),
    st.tuples(st.just("taint"), nodes, st.booleans()),
    st.tuples(st.just("node-remove"), nodes),
    st.tuples(st.just("node-add"), nodes),
    st.tuples(st.just("stop"), st.sampled_from(CONTROLLERS + PROCESSES)),
    st.tuples(st.just("start"), st.sampled_from(CONTROLLERS + PROCESSES)),
    st.tuples(st.just("restart"), st.sampled_from(CONTROLLERS + PROCESSES)),
    st.tuples(st.just("etcd"), st.sampled_from(["stop", "start", "cut", "join"]), st.sampled_from(MEMBERS)),
    st.tuples(st.just("shutdown"), nodes),
    st.tuples(st.just("static-pod"), nodes, names, st.sampled_from(["nginx:1.27", "nginx:1.28", ""])),
    st.tuples(st.just("wait"), st.sampled_from([0.05, 1, 7, 45, 400])),
)
LIVES = st.lists(ACTIONS, min_size=3, max_size=25)
BUSY_ACTIONS: st.SearchStrategy[Action] = st.one_of(  # Some of them never let a cluster rest.
    ACTIONS,
    st.tuples(st.just("resize"), st.integers(0, 20), st.sampled_from(["50m", "200m", "3"])),
    st.tuples(st.just("script"), names, st.sampled_from(sorted(SCRIPTS))),
    st.tuples(st.just("exec"), st.integers(0, 20), st.sampled_from(COMMANDS)),
    st.tuples(st.just("database"), names, st.sampled_from(["mysql:8.4", "postgres:17", "redis:8", "mongo:8"])),
)
BUSY_LIVES = st.lists(BUSY_ACTIONS, min_size=3, max_size=25)
STRAINS: st.SearchStrategy[Action] = st.one_of(  # On small machines, under requests.
    BUSY_ACTIONS,
    st.tuples(st.just("load"), names, st.sampled_from([0, 5, 400, 5_000])),
    st.tuples(st.just("eater"), names, st.sampled_from([100, 300, 700, 1_500])),
    st.tuples(st.just("hoarder"), names),
    st.tuples(st.just("wait"), st.sampled_from([1, 7, 200])),
)
STRAINED_LIVES = st.lists(STRAINS, min_size=10, max_size=30)


def begun(seed: int = 7) -> TestCluster:
    return a_cluster(nodes=[{"name": name, "cpu": "4"} for name in NODES], seed=seed)


def begun_small(seed: int = 7) -> TestCluster:
    """Machines of which each can run short of something else, and what it takes to send requests."""
    nodes = [
        {"name": "worker-1", "cpu": "4", "memory": "2Gi", "storage": "3Gi"},
        {"name": "worker-2", "cpu": "2", "memory": "1Gi", "storage": "20Gi", "inodes": 9_000, "pids": 300},
        {"name": "worker-3", "cpu": "4", "memory": "8Gi"},
    ]
    return a_cluster(nodes=nodes, seed=seed, addons=["kube-proxy", "coredns", "load-generators"]).run_for(30)


def live(cluster: TestCluster, life: list[Action]) -> None:
    """Do all of it, a moment apart."""
    for verb, *words in life:
        try:
            DO[verb](cluster, *words)
        except Refused as refused:
            if refused.status >= 500 and not OUTAGE.search(str(refused)):
                raise
        cluster.run_for(0.2)


def heal(cluster: TestCluster) -> None:
    """Everything works again: machines, nodes, processes; nothing that people asked for is taken back."""
    for name in MEMBERS:
        _unless_refused(cluster.act, "etcd", op="start", member=name)
        _unless_refused(cluster.act, "etcd", op="join", member=name)
    cluster.run_for(5)
    if any(is_shutting_down(cluster, name) for name in NODES):
        cluster.run_for(30)  # Then it can be switched on again.
    for name in CONTROLLERS + PROCESSES:
        _unless_refused(cluster.act, "component-start", component=name)
    for name in NODES:
        if name not in cluster.world.cells["machines"]:
            _unless_refused(node_add, cluster, name)
        _unless_refused(cluster.act, "power-on", node=name)
        _unless_refused(cluster.act, "runtime", node=name, op="start")
        _unless_refused(cordon, cluster, name, False)
        _unless_refused(taint, cluster, name, False)


def is_shutting_down(cluster: TestCluster, name: str) -> bool:
    kubelet = cluster.world.components.get(f"kubelet/{name}")
    return isinstance(kubelet, Kubelet) and kubelet.is_shutting_down()


def rebuilt(cluster: TestCluster) -> TestCluster:
    """Another process takes over: nothing survives but committed rows."""
    twin = TestCluster(World.restore(cluster.world.checkpoint_body(), cluster.world.objects()))
    twin._requests = cluster._requests
    return twin


def _unless_refused(act: Callable[..., Any], *words: Any, **more: Any) -> None:
    try:
        act(*words, **more)
    except Refused:
        return


# --- what can be done -------------------------------------------------------------------------------------------


def deployment(cluster: TestCluster, name: str, replicas: int, cpu: str) -> None:
    cluster.create(a_deployment(name, replicas, resources={"requests": {"cpu": cpu}}))


def statefulset(cluster: TestCluster, name: str, replicas: int, policy: str) -> None:
    labels = {"matchLabels": {"set": name}}
    template = {"metadata": {"labels": {"set": name}}, "spec": a_pod("x")["spec"]}
    spec = {"replicas": replicas, "selector": labels, "serviceName": name, "template": template}
    body = {"kind": "StatefulSet", "apiVersion": "apps/v1", "metadata": {"name": name}}
    cluster.create({**body, "spec": {**spec, "podManagementPolicy": policy}})


def daemonset(cluster: TestCluster, name: str) -> None:
    template = {"metadata": {"labels": {"ds": name}}, "spec": a_pod("x")["spec"]}
    spec = {"selector": {"matchLabels": {"ds": name}}, "template": template}
    cluster.create({"kind": "DaemonSet", "apiVersion": "apps/v1", "metadata": {"name": name}, "spec": spec})


def job(cluster: TestCluster, name: str, completions: int, script: str) -> None:
    container = {"name": "c", "image": "busybox", "command": ["sh", "-c", script]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    spec = {"completions": completions, "backoffLimit": 2, "template": template}
    cluster.create({"kind": "Job", "apiVersion": "batch/v1", "metadata": {"name": name}, "spec": spec})


def pod(cluster: TestCluster, name: str, policy: str) -> None:
    cluster.create(a_pod(name, restartPolicy=policy))


def budget(cluster: TestCluster, name: str, least: int) -> None:
    spec = {"minAvailable": least, "selector": {"matchLabels": {"app": name}}}
    body = {"kind": "PodDisruptionBudget", "apiVersion": "policy/v1", "metadata": {"name": name}}
    cluster.create({**body, "spec": spec})


def quota(cluster: TestCluster, count: int) -> None:
    body = {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": "q"}}
    if cluster.get("ResourceQuota", "q") is None:
        cluster.create({**body, "spec": {"hard": {"pods": str(count)}}})
    else:
        cluster.patch(body, {"spec": {"hard": {"pods": str(count)}}})


def stub(kind: str, name: str) -> Manifest:
    groups = {"Job": "batch/v1", "Service": "v1", "Pod": "v1"}
    return {"kind": kind, "apiVersion": groups.get(kind, "apps/v1"), "metadata": {"name": name}}


def image(cluster: TestCluster, kind: str, name: str, version: int) -> None:
    found = cluster.get(kind, name)
    if found is not None:
        first = {**found["spec"]["template"]["spec"]["containers"][0], "image": f"nginx:1.{version}"}
        cluster.patch(stub(kind, name), {"spec": {"template": {"spec": {"containers": [first]}}}})


def nth_pod(cluster: TestCluster, number: int) -> Manifest | None:
    found = cluster.objects("Pod", "default")
    return found[number % len(found)] if found else None


def delete_pod(cluster: TestCluster, number: int, grace: int | None) -> None:
    found = nth_pod(cluster, number)
    if found is not None:
        cluster.delete(found, **({} if grace is None else {"gracePeriodSeconds": grace}))


def evict(cluster: TestCluster, number: int) -> None:
    found = nth_pod(cluster, number)
    if found is not None:
        body = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": meta.name(found)}}
        cluster.request("POST", f"/api/v1/namespaces/default/pods/{meta.name(found)}/eviction", body)


def relabel_pod(cluster: TestCluster, number: int) -> None:
    found = nth_pod(cluster, number)
    if found is not None:
        cluster.patch(found, {"metadata": {"labels": {"app": "stray", "set": None, "ds": None}}})


def resize(cluster: TestCluster, number: int, cpu: str) -> None:
    found = nth_pod(cluster, number)
    if found is not None:
        first = {**found["spec"]["containers"][0], "resources": {"requests": {"cpu": cpu}}}
        cluster.patch(found, {"spec": {"containers": [first]}}, "resize")


def script(cluster: TestCluster, name: str, which: str) -> None:
    cluster.create(a_pod(f"script-{name}", "busybox", command=SCRIPTS[which], restartPolicy="Always"))


def database(cluster: TestCluster, name: str, image: str) -> None:
    env = [{"name": f"{each}_PASSWORD", "value": "x"} for each in ("MYSQL_ROOT", "POSTGRES")]
    cluster.create(a_pod(f"db-{name}", image, env=env))


def load(cluster: TestCluster, name: str, rate: int) -> None:
    """A LoadGenerator for the Service of that name, or another rate for it."""
    spec = {"requestsPerSecond": rate}
    if cluster.world.informers.get(OBJECTS, "default", name) is None:
        cluster.request("POST", PATH, a_load_generator(name, f"http://{name}", rate, replicas=2))
    else:
        cluster.request("PATCH", f"{PATH}/{name}", {"spec": spec}, content_type="application/merge-patch+json")


def eater(cluster: TestCluster, name: str, mebibytes: int) -> None:
    command = ["stress", "--vm", "1", "--vm-bytes", f"{mebibytes}M", "--vm-hang", "1"]
    cluster.create(a_pod(f"eater-{name}", "polinux/stress", command=command))


def hoarder(cluster: TestCluster, name: str) -> None:
    text = "while true; do dd if=/dev/zero of=/data/$RANDOM bs=1M count=20; sleep 2; done"
    pod = a_pod(f"hoarder-{name}", "busybox", command=["sh", "-c", text])
    pod["spec"]["volumes"] = [{"name": "data", "emptyDir": {"sizeLimit": "100Mi"}}]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    cluster.create(pod)


def execute(cluster: TestCluster, number: int, text: str) -> None:
    found = nth_pod(cluster, number)
    if found is not None:
        words = {"namespace": "default", "pod": meta.name(found), "command": ["sh", "-c", text]}
        cluster.act("exec", **words, tty=False, stdin=False)


def cordon(cluster: TestCluster, node: str, on: bool) -> None:
    body = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": node}}
    cluster.patch(body, {"spec": {"unschedulable": on or None}})


def taint(cluster: TestCluster, node: str, on: bool) -> None:
    found = cluster.get("Node", node)
    if found is not None:
        others = [each for each in found["spec"].get("taints") or [] if each["key"] != TAINT["key"]]
        body = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": node}}
        cluster.patch(body, {"spec": {"taints": [*others, TAINT] if on else others or None}})


def static_pod(cluster: TestCluster, node: str, name: str, image: str) -> None:
    """Write a manifest, or take it away if there is no image."""
    text = orjson.dumps(a_pod(f"static-{name}", image)).decode()
    cluster.act("static-pod", node=node, op="add" if image else "remove", file=f"{name}.yaml", text=text)


def node_add(cluster: TestCluster, node: str) -> None:
    cluster.act("node-add", name=node, cpu="4")


DO: dict[str, Callable[..., Any]] = {
    "deployment": deployment,
    "statefulset": statefulset,
    "daemonset": daemonset,
    "job": job,
    "replicaset": lambda cluster, name, count: cluster.create(a_replicaset(f"rs-{name}", count)),
    "pod": pod,
    "service": lambda cluster, name: cluster.create(a_service(name)),
    "budget": budget,
    "quota": quota,
    "scale": lambda cluster, kind, name, count: cluster.patch(stub(kind, name), {"spec": {"replicas": count}}),
    "image": image,
    "delete": lambda cluster, kind, name, how: cluster.delete(stub(kind, name), propagationPolicy=how),
    "delete-pod": delete_pod,
    "evict": evict,
    "relabel-pod": relabel_pod,
    "power-off": lambda cluster, node: cluster.power_off(node),
    "power-on": lambda cluster, node: cluster.power_on(node),
    "runtime": lambda cluster, node, operation: cluster.act("runtime", node=node, op=operation),
    "cordon": cordon,
    "taint": taint,
    "node-remove": lambda cluster, node: cluster.act("node-remove", node=node),
    "node-add": node_add,
    "stop": lambda cluster, name: cluster.act("component-stop", component=name),
    "start": lambda cluster, name: cluster.act("component-start", component=name),
    "restart": lambda cluster, name: cluster.act("component-restart", component=name),
    "etcd": lambda cluster, operation, member: cluster.act("etcd", op=operation, member=member),
    "shutdown": lambda cluster, node: cluster.act("shutdown", node=node),
    "static-pod": static_pod,
    "resize": resize,
    "script": script,
    "database": database,
    "exec": execute,
    "load": load,
    "eater": eater,
    "hoarder": hoarder,
    "wait": lambda cluster, seconds: cluster.run_for(seconds),
}
