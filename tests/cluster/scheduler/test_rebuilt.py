"""A scheduler built anew from cells and objects goes on exactly as the one that stayed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.objects import meta
from tests.cluster.scheduler.sandbox import Sandbox, a_sandbox

SIZES = ["100m", "900m", "2", "3", "9"]
CLASSES = ["", "low", "high"]

actions = st.lists(
    st.one_of(
        st.tuples(st.just("pod"), st.sampled_from(SIZES), st.sampled_from(CLASSES)),
        st.tuples(st.just("leave"), st.integers(0, 20), st.just("")),
        st.tuples(st.just("node"), st.sampled_from(["2", "4", "16"]), st.just("")),
        st.tuples(st.just("cordon"), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("wait"), st.sampled_from([0.005, 0.05, 1.2, 40, 400]), st.just("")),
    ),
    min_size=3,
    max_size=14,
)


def act(sandbox: Sandbox, number: int, action: tuple) -> None:
    verb, what, how = action
    if verb == "pod":
        sandbox.add_pod(f"p{number}", cpu=what, **({"priorityClassName": how} if how else {}))
    elif verb == "node":
        sandbox.add_node(f"n{number}", cpu=what)
    elif verb == "wait":
        sandbox.run_for(what)
    elif verb == "leave":
        pods = sandbox.informers.list("Pod")
        if pods:
            sandbox.delete("Pod", meta.name(pods[what % len(pods)]))
    else:
        nodes = sandbox.informers.list("Node")
        if nodes:
            sandbox.patch("Node", meta.name(nodes[what % len(nodes)]), {"spec": {"unschedulable": how or None}})


def begun(nodes: int) -> Sandbox:
    sandbox = a_sandbox(*(f"node-{index}" for index in range(nodes)))
    for name, value in (("low", 1), ("high", 10)):
        priority = {"kind": "PriorityClass", "apiVersion": "scheduling.k8s.io/v1", "metadata": {"name": name}}
        sandbox.create({**priority, "value": value})
    return sandbox


@settings(max_examples=200, deadline=None)
@given(nodes=st.integers(0, 3), before=actions, after=actions)
def test_whenever_the_process_is_replaced_the_future_is_the_same(nodes, before, after):
    stayed = begun(nodes)
    for number, action in enumerate(before):
        act(stayed, number, action)

    replaced = stayed.rebuilt()
    assert replaced.dump() == stayed.dump()
    for number, action in enumerate([*after, ("wait", 400, "")], 100):
        act(stayed, number, action)
        replaced = replaced.rebuilt()
        act(replaced, number, action)

    assert replaced.dump() == stayed.dump()


@settings(max_examples=40, deadline=None)
@given(nodes=st.integers(0, 3), story=actions)
def test_what_the_scheduler_knows_of_the_nodes_is_what_the_pods_say(nodes, story):
    sandbox = begun(nodes)
    for number, action in enumerate(story):
        act(sandbox, number, action)
    sandbox.run_for(20)

    fresh = sandbox.rebuilt().scheduler.snapshot
    kept = sandbox.scheduler.snapshot
    kept.refresh()
    fresh.refresh()
    assert [node.name for node in kept.nodes] == [node.name for node in fresh.nodes]
    assert kept.used.tolist() == fresh.used.tolist()
    assert kept.weighed.tolist() == fresh.weighed.tolist()
    assert kept.pods.tolist() == fresh.pods.tolist()
    assert (kept.pods <= kept.allowed).all()
    assert (kept.used <= kept.has).all()
