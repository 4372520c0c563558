"""Every figure that we claim, one file each: `python -m bench [name …]`, or `make bench`.

A figure is printed with its aim and with the load average while it was taken; the machine that the aims were set on has
two cores. `scheduler`, `death` and `growth` look at a scheduler or a world in memory; all others measure a whole
installation from outside, over http.
"""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")
django.setup()
