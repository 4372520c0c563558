"""The installation's settings with a home of their own: tests never see, and never touch, somebody's clusters."""

import os
import tempfile

if "ORRERY_TEST_HOME" not in os.environ:  # xdist's workers share their parent's; database names get a suffix each.
    os.environ["ORRERY_TEST_HOME"] = tempfile.mkdtemp(prefix="orrery-test-")
os.environ["ORRERY_HOME"] = os.environ["ORRERY_TEST_HOME"]
os.environ.pop("REDIS_URL", None)
if "TEST_DATABASE_URL" not in os.environ:
    os.environ.pop("DATABASE_URL", None)

from dashboard.settings import *  # noqa: E402, F403
