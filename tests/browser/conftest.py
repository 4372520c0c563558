"""One Orrery for all tests of a worker, a Chromium for a module, a tab of its own for each test."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.running import Orrery, Sight, chromium


@pytest.fixture(scope="session")
def orrery() -> Iterator[Orrery]:
    running = Orrery()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ends with its module: while Playwright is there, its event loop keeps Django from the database."""
    with chromium() as found:
        yield found


@pytest.fixture
def sight(browser: Browser) -> Iterator[Sight]:
    """A tab of 1280x720 that must not complain."""
    tab = Sight(browser, reduced_motion="reduce")
    yield tab
    tab.close()
    assert tab.complaints == []
