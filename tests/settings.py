"""The installation's settings with a home of their own: tests never see, and never touch, somebody's clusters."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "ORRERY_TEST_HOME" not in os.environ:  # xdist's workers share their parent's, and each has a corner of it.
    os.environ["ORRERY_TEST_HOME"] = tempfile.mkdtemp(prefix="orrery-test-")
    atexit.register(shutil.rmtree, os.environ["ORRERY_TEST_HOME"], ignore_errors=True)
os.environ["ORRERY_HOME"] = str(Path(os.environ["ORRERY_TEST_HOME"]) / os.environ.get("PYTEST_XDIST_WORKER", "main"))
for name in ("REDIS_URL", "DATABASE_URL", "PORT", "TLS_PORT", "HOST", "WORKERS", "TURNS", "ORRERY_LAB"):
    os.environ.pop(name, None)

from dashboard.settings import *  # noqa: E402, F403
