"""For all pages that tests ask for."""

from collections.abc import Iterator

import pytest
from django.utils import translation

PLAIN = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}


@pytest.fixture(autouse=True)
def _files_under_their_plain_names(settings):
    """Hashed names exist once `make run` has collected the files; here nobody has."""
    settings.STORAGES = {**settings.STORAGES, "staticfiles": PLAIN}


@pytest.fixture(autouse=True)
def _nobody_s_language() -> Iterator[None]:
    """A page that a test asked for in Portuguese leaves its thread speaking it."""
    yield
    translation.deactivate()
