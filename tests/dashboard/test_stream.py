"""One browser can't flood the server, and none loses anything."""

import asyncio
import json

import pytest

from dashboard.stream import IN_FLIGHT, RING, TOO_SLOW, Follower, Hub
from tests.builders import a_deployment
from tests.dashboard.saved import a_saved_cluster

pytestmark = pytest.mark.django_db(transaction=True)


class Browser:
    """What arrives at the other end of a socket."""

    def __init__(self, hub: Hub) -> None:
        self.frames: list[dict] = []
        self.closed = 0
        self.follower = Follower(hub, self._receive, self._close)

    async def _receive(self, text: str) -> None:
        self.frames.append(json.loads(text))

    async def _close(self, code: int) -> None:
        self.closed = code

    async def draw(self, visible: bool = True) -> None:
        await self.follower.acknowledge(self.frames[-1]["seq"], visible)


async def look(hub: Hub, *browsers: Browser) -> None:
    """One look of the hub, passed on to all who follow."""
    await hub._look()
    for browser in browsers:
        await browser.follower.pump()


def followed(cluster_name: str = "default") -> tuple[Hub, Browser]:
    hub = Hub(cluster_name)
    return hub, Browser(hub)


def test_a_new_browser_gets_a_snapshot_and_then_only_changes():
    cluster = a_saved_cluster(nodes=1)
    hub, browser = followed()

    async def story() -> None:
        await look(hub, browser)
        await browser.draw()
        await asyncio.to_thread(cluster.power_off, "worker-1")
        await asyncio.to_thread(cluster.world.commit)
        await look(hub, browser)

    asyncio.run(story())

    assert [frame["type"] for frame in browser.frames] == ["snapshot", "delta"]
    assert browser.frames[1]["nodes"]["worker-1"]["p"] is False
    assert browser.frames[1]["seq"] == browser.frames[0]["seq"] + 1


def test_a_browser_that_draws_nothing_gets_two_frames_and_later_the_rest_in_one():
    cluster = a_saved_cluster(nodes=1)
    hub, browser = followed()

    async def story() -> None:
        await look(hub, browser)
        for replicas in range(4):
            await asyncio.to_thread(cluster.create, a_deployment(f"web-{replicas}", replicas=0))
            await asyncio.to_thread(cluster.world.commit)
            await look(hub, browser)
        assert len(browser.frames) == IN_FLIGHT
        await browser.draw()

    asyncio.run(story())

    assert len(browser.frames) == IN_FLIGHT + 1
    created = [message["k"] for message in browser.frames[-1]["messages"] if message.get("d") == "Deployment"]
    assert created == ["default/web-1", "default/web-2", "default/web-3"]


def test_a_browser_that_comes_back_continues_where_it_was():
    cluster = a_saved_cluster(nodes=1)
    hub, browser = followed()
    again = Browser(hub)

    async def story() -> None:
        await look(hub, browser)
        seen = browser.frames[-1]
        await asyncio.to_thread(cluster.power_off, "worker-1")
        await asyncio.to_thread(cluster.world.commit)
        await look(hub)
        again.follower.resume(seen["epoch"], seen["seq"])
        await again.follower.pump()

    asyncio.run(story())

    assert [frame["type"] for frame in again.frames] == ["delta"]
    assert "worker-1" in again.frames[0]["nodes"]


def test_a_browser_of_another_epoch_gets_a_snapshot():
    a_saved_cluster(nodes=1)
    hub, browser = followed()

    async def story() -> None:
        await look(hub)
        browser.follower.resume("of yesterday", 5)
        await browser.follower.pump()

    asyncio.run(story())

    assert [frame["type"] for frame in browser.frames] == ["snapshot"]


def test_a_browser_that_was_away_for_longer_than_the_ring_reaches_gets_a_snapshot():
    a_saved_cluster(nodes=1)
    hub, browser = followed()

    async def story() -> None:
        await look(hub, browser)
        hub.seq += RING
        browser.follower._in_flight.clear()
        await browser.follower.pump()

    asyncio.run(story())

    assert [frame["type"] for frame in browser.frames] == ["snapshot", "snapshot"]


@pytest.mark.parametrize(("visible", "code"), [(True, TOO_SLOW), (False, 0)])
def test_only_a_visible_tab_that_draws_nothing_for_a_minute_is_let_go(visible, code):
    a_saved_cluster(nodes=1)
    hub, browser = followed()

    async def story() -> None:
        await look(hub, browser)
        browser.follower.visible = visible
        browser.follower._in_flight.extend([hub.seq, hub.seq])
        browser.follower._heard -= 61
        hub.seq += 1
        await browser.follower.pump()

    asyncio.run(story())

    assert browser.closed == code
