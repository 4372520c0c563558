"""The machine room: the real processes behind the simulated ones. Workers, the clusters they hold, the
broker, Daphne.
"""

from typing import Any

from django.utils.translation import gettext_lazy as _

from dashboard import machinery
from dashboard.panels.panel import Panel, View


def context(view: View) -> dict[str, Any]:
    return machinery.look(view.cluster)


PANEL = Panel("machine-room", context, _("Machine room"), "wrench")
