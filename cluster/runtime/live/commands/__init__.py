"""The commands of a container: one function `(Call) -> exit code` each, grouped by what they are about.

Read next: call.py for what a command sees, text.py for the commands people use most.
"""

from collections.abc import Callable

from cluster.runtime.live.commands.archive import ARCHIVE
from cluster.runtime.live.commands.awk import awk
from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.commands.compare import COMPARE
from cluster.runtime.live.commands.crictl import CRICTL
from cluster.runtime.live.commands.disk import DISK
from cluster.runtime.live.commands.find import FIND
from cluster.runtime.live.commands.grep import GREP
from cluster.runtime.live.commands.interfaces import INTERFACES
from cluster.runtime.live.commands.jobs import JOBS
from cluster.runtime.live.commands.network import NETWORK
from cluster.runtime.live.commands.node import NODE
from cluster.runtime.live.commands.packages import PACKAGING
from cluster.runtime.live.commands.python import PYTHON
from cluster.runtime.live.commands.reckon import RECKON
from cluster.runtime.live.commands.sed import SED
from cluster.runtime.live.commands.shapes import SHAPES
from cluster.runtime.live.commands.system import SYSTEM
from cluster.runtime.live.commands.text import TEXT

COMMANDS: dict[str, Callable[[Call], int]] = {
    **TEXT,
    **FIND,
    **GREP,
    **SED,
    **DISK,
    **SYSTEM,
    **ARCHIVE,
    **NETWORK,
    **INTERFACES,
    **JOBS,
    **COMPARE,
    **SHAPES,
    **RECKON,
    **PYTHON,
    **NODE,
    **PACKAGING,
    **CRICTL,
    "awk": awk,
}
