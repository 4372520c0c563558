"""Is a port free, and if not, who has it?"""

import contextlib
import socket

import psutil


def is_free(host: str, port: int) -> bool:
    """Can we listen there? A port whose last connections are only closing counts as free."""
    with contextlib.closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """`python (pid 4711)`: the process that listens on `port`, as far as we may know."""
    try:
        found = [
            c.pid for c in psutil.net_connections("tcp") if c.laddr and c.laddr.port == port and c.status == "LISTEN"
        ]
        if found and found[0]:
            return f"{psutil.Process(found[0]).name()} (pid {found[0]})"
    except (psutil.Error, PermissionError):
        pass
    return "a process of another user"
