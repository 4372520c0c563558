"""What a server program sees of the container that it runs in.

A server is a function `(Place, port, given) -> Answer`: all that it remembers is in `memory`, which lives as long as
its process, and in files, which live as long as their disk.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cluster.runtime.live.files import FileError, Files

CONNECTED = "connected"


@dataclass
class Place:
    """`now`: simulated calendar time, `at`: the same as microseconds since t = 0; `client`: who asks, an address.

    `call(host, port, data)`: (fate, address, what came back), over the cluster's network; `boot`: what the program
    found when it started (see starts.py); `version`: the program's; `script(path)`: (exit code, or None if it waits for
    something, what it printed) of a shell script, which reaches this server.
    """

    files: Files
    env: Mapping[str, str]
    now: datetime
    at: int
    argv: tuple[str, ...] = ()
    memory: dict[str, Any] = field(default_factory=dict)
    boot: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    hostname: str = "localhost"
    seed: int = 0
    client: str = "127.0.0.1"
    call: Callable[[str, int, str], tuple[str, str, str]] = lambda host, port, data: ("no route", "", "")
    script: Callable[[str], tuple[int | None, str]] = lambda path: (127, "")

    def setting(self, *names: str) -> str:
        """The first of these variables that is set, itself or by a file's name."""
        for name in names:
            if self.env.get(name):
                return self.env[name]
            path = self.env.get(f"{name}_FILE")
            if path:
                try:
                    return self.files.read(path).rstrip("\n")
                except FileError:
                    return ""
        return ""
