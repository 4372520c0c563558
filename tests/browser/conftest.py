"""One Orrery and one Chromium for all tests of a worker; a tab of its own for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.running import Orrery, Sight, chromium


@pytest.fixture(scope="session")
def orrery() -> Iterator[Orrery]:
    running = Orrery()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def sight(browser: Browser) -> Iterator[Sight]:
    """A tab of 1280x720 that must not complain."""
    tab = Sight(browser, reduced_motion="reduce")
    yield tab
    tab.close()
    assert tab.complaints == []
