"""The main thing, nothing left out: kubectl applies, a click cuts the power, all tell the same story."""

import psutil

from tests.browser.running import Orrery, Sight

SHOP = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      containers: [{name: web, image: "nginx:1.29", ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Service
metadata: {name: shop}
spec: {selector: {app: shop}, ports: [{port: 80}]}
"""


def are_running(sight: Sight, count: int, away_from: str = "") -> str:
    node = f" && p.n !== '{away_from}'" if away_from else ""
    mine = f"p => p.k.startsWith('default/shop-') && p.s === 'run'{node}"
    return f"window.__orrery.state().pods.filter({mine}).length === {count}"


def test_a_node_dies_and_its_pods_are_replaced_elsewhere(orrery: Orrery, sight: Sight):
    sight.open(orrery.url)
    page = sight.page

    orrery.kubectl("apply", "-f", "-", text=SHOP)
    sight.until(are_running(sight, 3), "three pods of the shop to run")
    victim = sight.pods("default/shop-")[0]["n"]
    lost = [pod["k"] for pod in sight.pods("default/shop-") if pod["n"] == victim]
    page.click(f".kill[data-node='{victim}']")
    sight.until(f"window.__orrery.state().nodes.find(n => n.k === '{victim}').p === false", "the power to go")

    for _ in range(12):  # Grace period, tolerations, image pulls: all skipped.
        if sight.page.evaluate(are_running(sight, 3, victim)):
            break
        before = sight.state()["clock"]["now"]
        page.click("#skip")
        sight.until(f"window.__orrery.state().clock.now > {before} + 1e6", "the skip")
    sight.until(are_running(sight, 3, victim), "the replacements to run elsewhere")

    shown = {pod["k"].split("/")[1]: pod["n"] for pod in sight.pods("default/shop-") if pod["s"] == "run"}
    real = {
        pod["metadata"]["name"]: pod["spec"]["nodeName"]
        for pod in orrery.pods("shop")
        if "deletionTimestamp" not in pod["metadata"]
    }
    assert shown == real
    fresh = next(pod for pod in sight.pods("default/shop-") if pod["k"] not in lost and pod["n"] != victim)
    replacement = max(
        (p for p in orrery.pods("shop") if p["metadata"]["name"] in real),
        key=lambda p: int(p["metadata"]["resourceVersion"]),
    )["metadata"]["name"]
    assert fresh

    page.click(f"[data-object='Pod/default/{replacement}']")
    sight.until(f"document.querySelector('#inspector h2').textContent === '{replacement}'", "the inspector")
    chain = page.inner_text("#inspector .chain")
    assert "was bound to" in chain
    assert "was created for ReplicaSet" in chain
    assert "was marked for deletion" in chain
    assert "node.kubernetes.io/unreachable:NoExecute" in chain
    assert "NodeStatusUnknown" in chain
    assert "for the last time" in chain
    assert f"The power of machine {victim} was cut." in chain
    assert "Scheduled" in orrery.kubectl("get", "events", "--field-selector", f"involvedObject.name={replacement}")
    orrery.kubectl("delete", "deployment,service", "shop")
    page.click(f".kill[data-node='{victim}']")
    sight.until(f"window.__orrery.state().nodes.find(n => n.k === '{victim}').p", "the power to come back")


def test_the_page_comes_back_when_its_server_has_died(orrery: Orrery, sight: Sight):
    sight.open(orrery.url)
    children = psutil.Process(orrery.process.pid).children(recursive=True)
    daphne = [child for child in children if sight.state() and _listens(child, orrery.port)]

    for process in daphne:
        process.kill()
    sight.until("!document.querySelector('#offline').hidden", "the page to notice")
    sight.until("document.querySelector('#offline').hidden", "the page to come back")

    before = sight.state()["clock"]["now"]
    sight.until(f"window.__orrery.state().clock.now > {before}", "time to go on")
    # While it was dead, whatever wanted to reach it said so; anything else is a complaint.
    unreachable = ("WebSocket", "ERR_", "Failed to fetch")
    sight.complaints = [text for text in sight.complaints if not any(part in text for part in unreachable)]


def _listens(process, port: int) -> bool:
    return any(c.laddr.port == port and c.status == "LISTEN" for c in process.net_connections())


def power(sight: Sight, node: str, on: bool) -> None:
    """Click the power button of `node`, and wait until the page shows it."""
    sight.page.click(f".kill[data-node='{node}']")
    wanted = "true" if on else "false"
    sight.until(f"window.__orrery.state().nodes.find(n => n.k === '{node}').p === {wanted}", f"{node}'s power")


def look_at(sight: Sight, name: str) -> str:
    """Select a pod of the shop on the map; what Why says of it."""
    sight.page.click(f"[data-object='Pod/default/{name}']")
    sight.until(f"document.querySelector('#inspector h2').textContent === '{name}'", "the inspector")
    return sight.page.inner_text("#inspector")


def test_two_dead_nodes_are_emptied_and_when_all_three_die_nobody_is_evicted(orrery: Orrery, sight: Sight):
    sight.open(orrery.url)
    workers = sorted(node["k"] for node in sight.state()["nodes"])
    orrery.kubectl("apply", "-f", "-", text=SHOP)
    sight.until(are_running(sight, 3), "three pods of the shop to run")

    for node in workers[:-1]:
        power(sight, node, on=False)
    orrery.manage("clock", "skip", "480")
    survivor = workers[-1]
    alive = [p for p in orrery.pods("shop") if "deletionTimestamp" not in p["metadata"]]
    assert {pod["spec"]["nodeName"] for pod in alive} == {survivor}
    sight.until(are_running(sight, 3), "the page to show the same")

    for node in workers[:-1]:
        power(sight, node, on=True)
    orrery.manage("clock", "skip", "60")
    for node in workers:
        power(sight, node, on=False)
    before = {pod["metadata"]["uid"] for pod in orrery.pods("shop")}
    orrery.manage("clock", "skip", "900")

    pods = orrery.pods("shop")
    assert {pod["metadata"]["uid"] for pod in pods} == before
    assert not any("deletionTimestamp" in pod["metadata"] for pod in pods)
    why = look_at(sight, pods[0]["metadata"]["name"])
    assert "Evictions are halted" in why
    assert "Evictions are halted" in orrery.manage("why", f"pod/{pods[0]['metadata']['name']}")

    for node in workers:
        power(sight, node, on=True)
    orrery.kubectl("delete", "deployment,service", "shop")
