"""Two lengths: as part of `make test`, the same few lives each time; for long, many new ones.

python -m pytest tests/properties --hypothesis-profile=long
"""

import pytest
from hypothesis import HealthCheck, Phase, settings

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]
SHORT = (Phase.explicit, Phase.generate)  # A failing life is told as it is: making it shorter takes minutes.
settings.register_profile(
    "short", max_examples=25, deadline=None, derandomize=True, suppress_health_check=QUIET, phases=SHORT
)
settings.register_profile("long", max_examples=600, deadline=None, suppress_health_check=QUIET)
settings.load_profile("short")


def pytest_configure(config: pytest.Config) -> None:
    chosen = config.getoption("--hypothesis-profile", default=None)
    if chosen:
        settings.load_profile(chosen)
