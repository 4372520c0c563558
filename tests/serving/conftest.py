"""A whole installation for a test: `make run`'s own processes, on a home, ports and a database of the test's own."""

from collections.abc import Callable, Iterator

import pytest

from tests.serving.installation import Installation


@pytest.fixture
def installed(transactional_db: None) -> Iterator[Callable[..., Installation]]:
    """Call it to start an installation; it is stopped when the test ends."""
    running: list[Installation] = []

    def start(**environment: str) -> Installation:
        installation = Installation(**environment)
        running.append(installation)
        installation.start()
        return installation

    yield start
    for installation in running:
        installation.stop()


@pytest.fixture
def orrery(installed: Callable[..., Installation]) -> Installation:
    """A running installation with two workers and its first cluster."""
    return installed(WORKERS="2")
