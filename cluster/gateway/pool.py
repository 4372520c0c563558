"""Who reads: one connection on the event loop for single rows, and a few threads with one each for anything longer."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from cluster.apiserver.reads import Reader

THREADS = 3
Answer = TypeVar("Answer")

_threads: ThreadPoolExecutor | None = None
_local = threading.local()


def reader() -> Reader:
    """This thread's own."""
    found = getattr(_local, "reader", None)
    if found is None:
        found = _local.reader = Reader()
    return found


async def in_thread(question: Callable[..., Answer], *arguments: Any) -> Answer:
    """`question(reader, *arguments)` in one of the threads."""
    global _threads
    if _threads is None:
        _threads = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="reads")
    return await asyncio.get_running_loop().run_in_executor(_threads, _ask, question, arguments)


def _ask(question: Callable[..., Answer], arguments: tuple[Any, ...]) -> Answer:
    return question(reader(), *arguments)
