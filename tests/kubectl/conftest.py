"""The installations of tests/serving."""

from tests.serving.conftest import installed  # noqa: F401
