"""Two lengths: as part of `make test`, the same few lives each time; for long, many new ones.

    python -m pytest tests/properties --hypothesis-profile=long
"""

import pytest
from hypothesis import HealthCheck, settings

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
settings.register_profile("short", max_examples=25, deadline=None, derandomize=True, suppress_health_check=QUIET)
settings.register_profile("long", max_examples=600, deadline=None, suppress_health_check=QUIET)
settings.load_profile("short")


def pytest_configure(config: pytest.Config) -> None:
    chosen = config.getoption("--hypothesis-profile", default=None)
    if chosen:
        settings.load_profile(chosen)
