"""Logs out of committed records."""

import asyncio

import pytest

from cluster.models import Cluster
from cluster.world import World
from tests.builders import EPOCH, a_pod
from tests.cluster.gateway.asgi import Exchange, fetch
from tests.cluster.gateway.conftest import CommittedCluster

PODS = "/api/v1/namespaces/default/pods"
TICKER = ["sh", "-c", "while true; do date; sleep 5; done"]


@pytest.fixture
def ticking(transactional_db):
    """A cluster with one node and a pod `ticker` that prints the date every five seconds."""
    row = Cluster.objects.create(name="lab", seed=7, epoch=EPOCH, engine="test", options={"nodes": 1})
    cluster = CommittedCluster(World.create(7, EPOCH, {"nodes": 1}, row.pk, 0)).settle()
    cluster.create(a_pod("ticker", "busybox:1.36", command=TICKER))
    return cluster.run_for(30)


def test_a_log_has_what_was_printed_until_the_committed_horizon(ticking):
    whole = fetch(f"{PODS}/ticker/log")

    assert whole.headers["content-type"] == "text/plain"
    assert len(whole.body.splitlines()) >= 4
    assert fetch(f"{PODS}/ticker/log?tailLines=2").body.splitlines() == whole.body.splitlines()[-2:]
    stamped = fetch(f"{PODS}/ticker/log?tailLines=1&timestamps=true").body.decode()
    assert stamped.startswith("2026-11-24T")
    assert len(fetch(f"{PODS}/ticker/log?limitBytes=10").body) <= 11


def test_a_follower_gets_new_lines_as_the_horizon_moves_and_ends_with_the_pod(ticking):
    async def run():
        exchange = Exchange(f"{PODS}/ticker/log?follow=true&tailLines=1")
        first = len((await exchange.until(lambda answer: answer.body)).body.splitlines())
        await asyncio.to_thread(ticking.run_for, 12)
        await exchange.until(lambda answer: len(answer.body.splitlines()) >= first + 2)
        await asyncio.to_thread(ticking.delete, ticking.get("Pod", "ticker"), gracePeriodSeconds=0)
        return first, await exchange.finished(seconds=5)

    first, answer = asyncio.run(run())

    assert first == 1
    assert len(set(answer.body.splitlines())) == len(answer.body.splitlines())


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("container=zzz", 400, "container zzz is not valid for pod ticker"),
        ("previous=true", 400, 'previous terminated container "app" in pod "ticker" not found'),
        ("tailLines=-1", 422, "must be greater than or equal to 0"),
        ("tailLines=x", 400, 'strconv.ParseInt: parsing "x": invalid syntax'),
    ],
)
def test_what_can_not_be_shown_is_explained(ticking, query, status, message):
    answer = fetch(f"{PODS}/ticker/log?{query}")

    assert answer.status == status
    assert message in answer.json()["message"]


def test_a_pod_without_a_node_has_an_empty_log(lab):
    lab.create(a_pod("lonely"))

    assert fetch(f"{PODS}/lonely/log").status == 204
    assert fetch(f"{PODS}/none/log").json()["message"] == 'pods "none" not found'


def test_the_log_of_a_dead_node_can_not_be_reached(ticking):
    node = ticking.get("Pod", "ticker")["spec"]["nodeName"]
    ticking.power_off(node)
    ticking.world.commit()

    answer = fetch(f"{PODS}/ticker/log")

    assert answer.status == 500
    assert "connect: no route to host" in answer.json()["message"]


def test_the_log_of_a_pod_on_a_node_that_never_was_is_not_found(lab):
    lab.create(a_pod("stray", nodeName="ghost-node"))

    assert fetch(f"{PODS}/stray/log").json()["message"] == 'pods "ghost-node" not found'
