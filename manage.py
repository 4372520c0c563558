#!/usr/bin/env python
"""Django's command line: `python manage.py cluster list`, `… node power-off worker-1`, `… why Pod/web-1`."""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    execute_from_command_line(sys.argv)
