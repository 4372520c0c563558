"""Every function of a cluster, killed and returning, through the real kubectl and the page at once.

kubelet         a crash loop and a container out of memory; test_static_pods.py (shutdown), test_story.py (death)
runtime         one of three kinds, stopped from its tab
programs        what exec does, and the log of process 1; test_webui.py (a shell on the page)
kube-proxy      gone from the nodes: their rules stay as they are
network plugin  gone before a node joins; a route that is broken
DNS             CoreDNS scaled to nothing
traffic         test_traffic.py (a generator's servers scaled to nothing and back)
monitoring      metrics-server and Prometheus scaled to nothing; test_monitoring.py (the gap afterwards)
logging         an agent that is gone; test_logs.py (the store scaled to nothing)
web-ui          test_webui.py (scaled to nothing: 503 in words while the teacher's page stays, and back)
"""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.browser.running import KUBECTL, Orrery, Sight, eventually

NODES = {"worker-1": "containerd", "crio-1": "cri-o", "docker-1": "docker"}
SHELL = ["sh", "-c", "while true; do echo tick; sleep 1; done"]
PATIENCE = 60.0


class Town:
    """A cluster of its own in the shared Orrery, ten times as fast as the wall."""

    def __init__(self, orrery: Orrery, name: str, *options: str) -> None:
        self.orrery, self.name = orrery, name
        self.view = f"{orrery.url}/view/{name}/"
        orrery.manage("cluster", "create", name, "--seed", "11", *options)
        self.manage("clock", "speed", "10")

    def manage(self, *arguments: str) -> str:
        return self.orrery.manage(*arguments, "--cluster", self.name)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """The real kubectl. Errors: AssertionError with what it said."""
        return self.orrery.kubectl("-s", f"{self.orrery.url}/clusters/{self.name}", *arguments, text=text)

    def refused(self, *arguments: str) -> str:
        """What kubectl complains of: it must not go well."""
        config = ("--kubeconfig", str(self.orrery.home / "kubeconfig"), "-s", f"{self.orrery.url}/clusters/{self.name}")
        done = subprocess.run([str(KUBECTL), *config, *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0, done.stdout
        return done.stdout + done.stderr

    def apply(self, *objects: dict) -> None:
        self.kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def install(self, addon: str) -> None:
        self.kubectl("apply", "-f", "-", text=self.orrery.manage("addon", addon))

    def says(self, expected: str, *arguments: str) -> str:
        """kubectl's answer as soon as `expected`, a pattern, is in it."""
        return eventually(
            lambda: (lambda said: said if re.search(expected, said) else "")(self.kubectl(*arguments)),
            f"{expected!r} from kubectl {' '.join(arguments)}",
            PATIENCE,
        )

    def ready(self, *what: str) -> None:
        self.kubectl("wait", "--for=condition=Ready", "--timeout=60s", *what)

    def scale(self, name: str, replicas: int) -> None:
        self.kubectl("-n", "kube-system", "scale", "deployment", name, f"--replicas={replicas}")
        self.kubectl("-n", "kube-system", "rollout", "status", f"deployment/{name}", "--timeout=60s")

    def delete(self) -> None:
        self.orrery.manage("cluster", "delete", self.name)


class Eye:
    """The page of a town."""

    def __init__(self, sight: Sight, town: Town) -> None:
        self.sight, self.page, self.view = sight, sight.page, town.view
        sight.open(town.view)

    def look_at(self, kind: str, key: str, tab: str) -> None:
        place = f".node[data-node='{key}'] button.name" if kind == "Node" else f"[data-object='{kind}/{key}']"
        self.page.click(place)
        self.sight.until(f"document.querySelector('[data-shown]')?.dataset.shown === '{kind}/{key}'", key)
        self.page.click(f"#inspector [data-tab={tab}]")
        self.sight.until(f"document.querySelector('#tab-{tab}')?.getAttribute('aria-selected') === 'true'", tab)

    def shows(self, words: str, where: str = "#inspector") -> None:
        eventually(lambda: words in self.page.inner_text(where), f"{words!r} in {where} of the page", PATIENCE)

    def node(self, name: str, state: str) -> None:
        self.sight.until(f"window.__orrery.state().nodes.find(n => n.k === '{name}')?.s === '{state}'", state, PATIENCE)

    def pod(self, name: str, state: str) -> None:
        self.sight.until(
            f"window.__orrery.state().pods.find(p => p.k === 'default/{name}')?.s === '{state}'", state, PATIENCE
        )


def a_pod(name: str, node: str, command: list[str], **more) -> dict:
    container = {"name": "main", "image": "busybox:1.36", "command": command, **more}
    spec = {"nodeName": node, "containers": [container], "terminationGracePeriodSeconds": 0}
    spec["tolerations"] = [{"operator": "Exists"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec}


def a_service(name: str, app: str, port: int = 80) -> dict:
    spec = {"selector": {"app": app}, "ports": [{"port": port}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}


def a_server(name: str, node: str) -> dict:
    pod = a_pod(name, node, [])
    pod["spec"]["containers"] = [{"name": "main", "image": "nginx:1.29", "ports": [{"containerPort": 80}]}]
    return pod


@pytest.fixture(scope="module")
def town(orrery: Orrery) -> Iterator[Town]:
    """Three nodes with three runtimes; a server `web` on docker-1 behind a Service, and a shell on each node."""
    town = Town(orrery, "functions", "--nodes", "1")
    for name in list(NODES)[1:]:
        town.manage("node", "add", name, "--runtime", NODES[name])
    town.apply(
        a_server("web", "docker-1"), a_service("web", "web"), *(a_pod(f"on-{node}", node, SHELL) for node in NODES)
    )
    town.ready("pod/web", *(f"pod/on-{node}" for node in NODES))
    town.kubectl("-n", "kube-system", "wait", "--for=condition=Available", "--timeout=60s", "deployment", "--all")
    yield town
    town.delete()


@pytest.fixture
def eye(town: Town, sight: Sight) -> Eye:
    return Eye(sight, town)


def fetch(town: Town, node: str, host: str) -> str:
    return town.kubectl("exec", f"on-{node}", "--", "wget", "-qO-", "-T", "2", host)


def test_a_crash_loop_has_its_word_in_both_and_so_has_a_container_out_of_memory(town: Town, eye: Eye):
    eats = {"image": "polinux/stress", "args": ["--vm", "1", "--vm-bytes", "250M"]}
    town.apply(
        a_pod("crashing", "worker-1", ["sh", "-c", "echo no config; exit 3"]),
        a_pod("hungry", "worker-1", ["stress"], **eats, resources={"limits": {"memory": "100Mi"}}),
    )

    town.says("CrashLoopBackOff", "get", "pod", "crashing")
    eye.pod("crashing", "fail")
    eye.look_at("Pod", "default/crashing", "why")
    eye.shows("CrashLoopBackOff")
    assert "no config" in town.kubectl("logs", "crashing", "--previous")
    town.says("OOMKilled", "get", "pod", "hungry", "-o", "yaml")
    assert re.search(r"Exit Code: +137", town.kubectl("describe", "pod", "hungry"))
    eye.look_at("Pod", "default/hungry", "yaml")
    eye.shows("OOMKilled")

    town.kubectl("delete", "pod", "crashing", "hungry")


def test_a_runtime_stopped_on_the_page_leaves_its_kubelet_there(town: Town, eye: Eye):
    wide = town.kubectl("get", "nodes", "-o", "wide")
    assert [re.search(rf"^{node} .* {kind}://\d", wide, re.M) is not None for node, kind in NODES.items()] == [True] * 3
    eye.look_at("Node", "crio-1", "runtime")
    eye.shows("cri-o")

    eye.page.click("#inspector [data-act=runtime][data-op=stop]")
    eye.shows("stopped")
    eye.node("crio-1", "NotReady")

    assert re.search("^crio-1 +NotReady", town.kubectl("get", "nodes"), re.M)
    told = town.kubectl("describe", "node", "crio-1")
    assert "container runtime is down" in told or "rpc error" in told
    assert "Kubelet stopped posting node status" not in told  # It is there, and says so itself.
    assert "tick" in town.kubectl("logs", "on-crio-1", "--tail=1")
    town.refused("exec", "on-crio-1", "--", "hostname")
    eye.page.click("#inspector [data-act=runtime][data-op=start]")
    eye.node("crio-1", "Ready")
    assert town.kubectl("exec", "on-crio-1", "--", "hostname") == "on-crio-1\n"


def test_what_a_shell_does_is_true_for_its_program_and_the_page_shows_what_that_prints(town: Town, eye: Eye):
    wait = ["sh", "-c", "until [ -s /tmp/word ]; do sleep 1; done; echo heard $(cat /tmp/word); sleep 9999"]
    town.apply(a_pod("listening", "worker-1", wait))
    town.ready("pod/listening")

    town.kubectl("exec", "listening", "--", "sh", "-c", "echo from $(hostname) | tr a-z A-Z > /tmp/word")

    town.says("heard FROM LISTENING", "logs", "listening")
    eye.look_at("Pod", "default/listening", "logs")
    eye.shows("heard FROM LISTENING")
    assert "exit code 7" in town.refused("exec", "listening", "--", "sh", "-c", "exit 7")
    town.kubectl("delete", "pod", "listening")


def test_without_kube_proxy_old_rules_work_and_new_ones_are_not_written(town: Town, eye: Eye):
    manifest = town.orrery.manage("addon", "kube-proxy")
    town.kubectl("-n", "kube-system", "delete", "daemonset", "kube-proxy", "--cascade=foreground", "--wait")
    town.apply(a_service("late", "web"))
    town.says("docker-1|10.244", "get", "endpointslices", "-l", "kubernetes.io/service-name=late")

    assert "Welcome to nginx!" in fetch(town, "worker-1", "web")
    assert "timed out" in town.refused("exec", "on-worker-1", "--", "wget", "-qO-", "-T", "2", "late")
    eye.look_at("Node", "worker-1", "network")
    eye.shows("stale: none runs here")
    eye.look_at("Pod", "default/on-worker-1", "network")
    eye.page.select_option("[data-wish=to]", "default/late:80/TCP")
    eye.shows("The rules of worker-1 are stale: no kube-proxy runs there.")

    town.kubectl("apply", "-f", "-", text=manifest)
    town.kubectl("-n", "kube-system", "rollout", "status", "daemonset/kube-proxy", "--timeout=60s")
    eventually(lambda: "Welcome" in fetch(town, "worker-1", "late"), "the new rules")
    eye.shows("It gets through.")
    town.kubectl("delete", "service", "late")


def test_a_broken_route_parts_one_pair_of_nodes_and_the_page_says_which(town: Town, eye: Eye):
    eye.look_at("Node", "worker-1", "network")
    eye.page.click("#inspector [data-act=route][data-to=docker-1][data-op=break]")
    eye.shows("broken")

    assert "timed out" in town.refused("exec", "on-worker-1", "--", "wget", "-qO-", "-T", "2", "web")
    assert "Welcome to nginx!" in fetch(town, "crio-1", "web")
    eye.look_at("Pod", "default/on-worker-1", "network")
    eye.page.select_option("[data-wish=to]", "default/web:80/TCP")
    eye.shows("worker-1 has no route to the pods of docker-1.")

    eye.look_at("Node", "worker-1", "network")
    eye.page.click("#inspector [data-act=route][data-to=docker-1][data-op=mend]")
    eventually(lambda: "Welcome" in fetch(town, "worker-1", "web"), "the route")
    eye.look_at("Pod", "default/on-worker-1", "network")
    eye.page.select_option("[data-wish=to]", "default/web:80/TCP")
    eye.shows("It gets through.")


def test_without_coredns_no_name_is_found_and_the_page_names_that_hop(town: Town, eye: Eye):
    assert "10.96." in town.kubectl("exec", "on-worker-1", "--", "nslookup", "web.default.svc.cluster.local")
    address = town.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    town.scale("coredns", 0)
    town.kubectl("-n", "kube-system", "wait", "--for=delete", "--timeout=60s", "pod", "-l", "k8s-app=kube-dns")

    told = town.refused("exec", "on-worker-1", "--", "nslookup", "web.default.svc.cluster.local")
    assert "no servers could be reached" in told
    assert "bad address 'web'" in town.refused("exec", "on-worker-1", "--", "wget", "-qO-", "-T", "2", "web")
    assert "Welcome to nginx!" in fetch(town, "worker-1", address)
    eye.look_at("Pod", "default/on-worker-1", "network")
    eye.page.select_option("[data-wish=to]", "default/web:80/TCP")
    eye.shows("No name server answers at 10.96.0.10.")

    town.scale("coredns", 2)
    eventually(lambda: "Welcome" in fetch(town, "worker-1", "web"), "names")
    eye.shows("It gets through.")


def test_monitoring_is_missed_in_words_and_returns(town: Town, eye: Eye):
    town.install("prometheus")
    town.kubectl("-n", "kube-system", "wait", "--for=condition=Available", "--timeout=60s", "deploy/prometheus")
    town.says("worker-1 +[0-9]+m", "top", "nodes")
    for name in ("metrics-server", "prometheus"):
        town.scale(name, 0)

    town.says("False .MissingEndpoints.", "get", "apiservice", "v1beta1.metrics.k8s.io")
    unable = "the server is currently unable to handle the request"
    assert f"{unable} (get nodes.metrics.k8s.io)" in town.refused("top", "nodes")
    raw = ("get", "--raw", "/api/v1/namespaces/kube-system/services/prometheus:9090/proxy/-/healthy")
    assert 'no endpoints available for service "prometheus"' in town.refused(*raw)
    eye.sight.open(f"{eye.view}?centre=monitoring")
    eye.shows("Its Deployment wants 0 pods.", "#wide")

    for name in ("metrics-server", "prometheus"):
        town.scale(name, 1)
    town.says("worker-1 +[0-9]+m", "top", "nodes")
    eventually(lambda: town.kubectl(*raw), "Prometheus")
    eye.sight.until("document.querySelector('#graph-cluster-0 canvas') !== null", "a graph", PATIENCE)


def test_a_killed_agents_lines_stop_and_come_later_none_is_missing(town: Town, eye: Eye):
    for name in ("loki", "fluent-bit"):
        town.install(name)
    town.kubectl("-n", "kube-system", "rollout", "status", "daemonset/fluent-bit", "--timeout=60s")
    count = "i=0; while true; do i=$((i+1)); echo number $i; sleep 1; done"
    town.apply(a_pod("counting", "worker-1", ["sh", "-c", count]))
    town.ready("pod/counting")
    eye.sight.open(f"{eye.view}?centre=logs")
    shown = "[...document.querySelectorAll('#logs-lines .text')].map(e => e.textContent)"
    eye.sight.until("document.querySelector('#logs-q') !== null", "the panel")
    eye.shows("from the log store", "#wide")
    eye.page.fill("#logs-q", '"number "')
    eye.sight.until(f"{shown}.length > 5", "lines", PATIENCE)

    patch = {"spec": {"template": {"spec": {"nodeSelector": {"kubernetes.io/hostname": "docker-1"}}}}}
    agents = ("-n", "kube-system", "daemonset/fluent-bit")
    town.kubectl("patch", *agents, "-p", json.dumps(patch))
    town.kubectl("rollout", "status", *agents, "--timeout=60s")
    last = int(town.kubectl("logs", "counting", "--tail=1").split()[1])
    town.manage("clock", "skip", "60")
    assert int(town.kubectl("logs", "counting", "--tail=1").split()[1]) >= last + 50
    eye.sight.until(f"{shown}.length > 5", "lines", PATIENCE)
    assert max(int(line.split()[1]) for line in eye.page.evaluate(shown)) < last + 50

    lift = [{"op": "remove", "path": "/spec/template/spec/nodeSelector/kubernetes.io~1hostname"}]
    town.kubectl("patch", *agents, "--type=json", "-p", json.dumps(lift))
    eye.sight.until(f"{shown}.some(line => line === 'number {last + 50}')", "the lines to come later", PATIENCE)
    numbers = [int(line.split()[1]) for line in eye.page.evaluate(shown)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_a_node_that_joins_while_no_flannel_runs_waits_for_it(orrery: Orrery, sight: Sight):
    town = Town(orrery, "bare", "--nodes", "1", "--cni", "none")
    eye = Eye(sight, town)
    why = "cni plugin not initialized"
    assert why in town.kubectl("describe", "node", "worker-1")
    eye.node("worker-1", "NotReady")

    town.install("flannel")
    town.ready("node/worker-1")
    eye.node("worker-1", "Ready")
    town.kubectl("-n", "kube-flannel", "delete", "daemonset", "kube-flannel-ds", "--cascade=foreground", "--wait")
    town.manage("node", "add", "worker-2")
    town.apply(a_pod("new", "worker-2", SHELL), a_pod("old", "worker-1", SHELL))

    town.says("ContainerCreating", "get", "pod", "new")
    town.ready("pod/old")  # Its configuration outlives flannel's pod there.
    town.says(why, "describe", "node", "worker-2")
    town.says("NetworkNotReady", "describe", "pod", "new")
    eye.node("worker-2", "NotReady")
    eye.look_at("Pod", "default/new", "events")
    eye.shows(why)

    town.install("flannel")
    town.ready("node/worker-2", "pod/new")
    eye.node("worker-2", "Ready")
    eye.pod("new", "run")
    sight.page.goto("about:blank")  # A page of a cluster that goes would say so.
    town.delete()
