"""exec and attach: five channels of a websocket.

    0 stdin   1 stdout   2 stderr   3 how it ended, a Status   4 the terminal's size, {"Width": 80, "Height": 24}

Mirrors:  k8s.io/streaming/pkg/httpstream/… remotecommand, k8s.io/apiserver/pkg/util/proxy/streamtranslator.go
"""

import asyncio
import contextlib
from typing import Any

import orjson

from cluster import inbox
from cluster.apiserver.reads import Reader
from cluster.apiserver.target import Target
from cluster.gateway import pool
from cluster.gateway.http import Request
from cluster.gateway.streams.pump import PERIOD, Pump, Refused, ask
from cluster.gateway.streams.socket import CLOSE_CHANNEL, Socket
from cluster.kubelet import server as kubelet
from cluster.objects import errors

PROTOCOLS = (
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
)
STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
LARGEST_INPUT = 256 * 1024  # Bytes of stdin in one input of the world.
WAITING = 1024 * 1024  # Bytes of stdin that wait here before the client has to.
SUCCESS = {"metadata": {}, "status": "Success"}


class Asked:
    """The query: which streams are wanted, whose, and which command."""

    def __init__(self, request: Request) -> None:
        self.stdin, self.stdout, self.stderr, self.tty = (
            _is_true(request.query(name)) for name in ("stdin", "stdout", "stderr", "tty")
        )
        self.container = request.query("container")
        self.command = request.values("command")
        if not (self.stdin or self.stdout or self.stderr):
            raise errors.BadRequest("you must specify at least 1 of stdin, stdout, stderr")


def _is_true(text: str) -> bool:
    """`1` and `true` in any spelling: kubernetes_asyncio sends True."""
    return text.lower() in ("1", "t", "true")


async def serve(socket: Socket, target: Target) -> None:
    """Errors: whatever the world refuses before the upgrade."""
    request = socket.request
    asked = Asked(request)
    wanted: dict[str, Any] = {"type": target.subresource, "namespace": target.namespace, "pod": target.name}
    wanted |= {"user": request.user.plain(), "container": asked.container}
    if target.subresource == "exec":
        wanted |= {"command": asked.command, "stdin": asked.stdin, "tty": asked.tty}
    try:
        begun = await ask(request.cluster, wanted)
    except Refused as error:
        if error.status != 500:
            raise
        await socket.accept(PROTOCOLS)
        await _greet(socket, asked)
        await _end(socket, _failure(error, socket.protocol))
        return
    await socket.accept(PROTOCOLS)
    await _greet(socket, asked)
    if "session" in begun:
        await Remote(socket, asked, Pump(request.cluster, begun["session"], begun["from"]), begun).run()
    else:
        await _follow_log(socket, target, asked, begun)


async def _greet(socket: Socket, asked: Asked) -> None:
    """An empty message on the first channel that the client reads tells it that the connection stands.

    On no other: there are clients that take what comes on the error channel for the end, and can't read nothing.
    """
    await socket.send(STDOUT if asked.stdout else STDERR if asked.stderr else ERROR, b"")


async def _end(socket: Socket, status: dict[str, Any]) -> None:
    """Say how it ended, and close. Before version 4 the error channel carries plain text."""
    if socket.protocol.startswith(("v5.", "v4.")):
        await socket.send(ERROR, orjson.dumps(status))
    elif status["status"] != "Success":
        await socket.send(ERROR, str(status.get("message", "")).encode())
    await socket.close()


class Remote:
    """One client and one session."""

    def __init__(self, socket: Socket, asked: Asked, pump: Pump, begun: dict[str, Any]) -> None:
        self.socket, self.asked, self.pump = socket, asked, pump
        self.attached, self.once = "name" in begun, bool(begun.get("once"))
        self.buffer, self.closing = bytearray(), False
        self.resized: dict[str, int] = {}
        self.something, self.room = asyncio.Event(), asyncio.Event()
        self.room.set()

    async def run(self) -> None:
        """Until the session has ended, or the client is gone."""
        reading = asyncio.create_task(self._receive())
        sending = asyncio.create_task(self._pass_on())
        printing = asyncio.create_task(self._print())
        tasks = (reading, sending, printing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if printing.done():
                await self._finish(printing)
            elif sending.done() and isinstance(error := sending.exception(), errors.ApiError):
                await _end(self.socket, error.status_object())
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._leave(ended=printing.done() and not printing.cancelled() and printing.exception() is None)

    async def _finish(self, printing: "asyncio.Task[int | None]") -> None:
        error = printing.exception()
        if isinstance(error, errors.ApiError):
            await _end(self.socket, error.status_object())
        elif error is None:
            code = printing.result()
            if self.attached and code is not None:
                code = 0  # Attaching does not say how the container ended.
            await _end(self.socket, _ended(code, self.socket.protocol, self.asked.command))

    async def _leave(self, ended: bool) -> None:
        """The client has gone, or has all there was."""
        with contextlib.suppress(errors.ApiError):
            if not self.attached:
                await self.pump.act("drop" if ended else "left")
            elif self.asked.stdin and self.once and not ended:
                await self.pump.act("close")

    async def _receive(self) -> None:
        """What the client sends, into the buffer."""
        while (message := await self.socket.message()) is not None:
            if message.channel == STDIN and self.asked.stdin:
                self.buffer += message.data
                if len(self.buffer) > WAITING:
                    self.room.clear()
            elif message.channel == RESIZE:
                self.resized = _size(message.data) or self.resized
            elif message.channel == CLOSE_CHANNEL and message.data[:1] == bytes([STDIN]):
                self.closing = True
            self.something.set()
            await self.room.wait()

    async def _pass_on(self) -> None:
        """The buffer, into the world. What comes together becomes one input."""
        while True:
            await self.something.wait()
            self.something.clear()
            try:
                await self._pass_on_all()
            except Refused as error:
                if error.status != 404:  # It has ended: whoever prints will know.
                    raise

    async def _pass_on_all(self) -> None:
        if self.resized:
            size, self.resized = self.resized, {}
            await self.pump.act("resize", **size)
        while self.buffer:
            data, self.buffer = bytes(self.buffer[:LARGEST_INPUT]), self.buffer[LARGEST_INPUT:]
            if len(self.buffer) <= WAITING:
                self.room.set()
            await self.pump.act("stdin", data=data.decode("latin-1"))
        if self.closing and (self.once or not self.attached):
            self.closing = False
            await self.pump.act("close")

    async def _print(self) -> int | None:
        """What the session prints, to the client. Returns its exit code; None: it is gone without one."""
        wanted = {STDOUT: self.asked.stdout, STDERR: self.asked.stderr}
        while True:
            printed = await self.pump.printed()
            for channel, data in printed.parts:
                if wanted.get(channel):
                    await self.socket.send(channel, data)
            if printed.over:
                return printed.code
            await self.pump.acknowledge()


async def _follow_log(socket: Socket, target: Target, asked: Asked, begun: dict[str, Any]) -> None:
    """Attached to a process that reads nothing: its output from now on, until it ends."""

    async def follow() -> None:
        position, wanted = begun["from"], {"stdout": asked.stdout, "stderr": asked.stderr}
        while True:
            await asyncio.to_thread(inbox.follow, socket.request.cluster)
            await asyncio.sleep(PERIOD)
            lines, position, over = await pool.in_thread(_lines, socket.request.cluster, begun, position)
            for stream, text in lines:
                if wanted[stream]:
                    await socket.send(STDOUT if stream == "stdout" else STDERR, text.encode())
            if over:
                return

    following, gone = asyncio.create_task(follow()), asyncio.create_task(_until_gone(socket))
    await asyncio.wait((following, gone), return_when=asyncio.FIRST_COMPLETED)
    ended = following.done()
    for task in (following, gone):
        task.cancel()
    await asyncio.gather(following, gone, return_exceptions=True)
    if ended:
        await _end(socket, SUCCESS)


async def _until_gone(socket: Socket) -> None:
    while await socket.raw() is not None:
        pass


def _lines(
    reader: Reader, cluster: str, begun: dict[str, Any], position: int
) -> tuple[list[tuple[str, str]], int, bool]:
    """(lines as (stream, text), where to go on, has it ended?)"""
    snapshot = reader.cluster(cluster)
    uid = begun["container"].partition("/")[0]
    records = reader.containers(snapshot.id, uid) if snapshot is not None else []
    record = next((r for r in records if r.get("name") == begun["name"] and r.get("attempt") == begun["attempt"]), None)
    if snapshot is None or record is None:
        return [], position, True
    found = kubelet.printed(record, position, snapshot.sim_now, snapshot.epoch)
    return found, max(position, snapshot.sim_now), kubelet.has_ended(record, snapshot.sim_now)


# --- what is said at the end ------------------------------------------------------------------------------------


def _ended(code: int | None, protocol: str, command: list[str]) -> dict[str, Any]:
    """The Status of a process that ended with `code`; None: its container was taken away from under it."""
    if code is None:
        return _internal("error reading from error stream: the container is gone")
    if code == 0:
        return SUCCESS
    text = f"command terminated with exit code {code}"
    if not protocol.startswith("v5."):
        text = f"error executing command [{' '.join(command)}], exit code {code}"
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: {text}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }


def _failure(error: Refused, protocol: str) -> dict[str, Any]:
    """What the kubelet said. Version 5 passes the API server's translator, which wraps it once more."""
    problem = error.message.removeprefix(INTERNAL)
    is_wrapped = protocol.startswith("v5.") and problem.startswith("error executing")
    return _internal(INTERNAL + problem if is_wrapped else problem)


INTERNAL = "Internal error occurred: "


def _internal(problem: str) -> dict[str, Any]:
    return {
        "metadata": {},
        "status": "Failure",
        "message": INTERNAL + problem,
        "reason": "InternalError",
        "details": {"causes": [{"message": problem}]},
        "code": 500,
    }


def _size(data: bytes) -> dict[str, int]:
    """{"Width": 80, "Height": 24} as columns and rows; nothing if it is something else."""
    try:
        body = orjson.loads(data)
        return {"columns": int(body["Width"]), "rows": int(body["Height"])}
    except (ValueError, KeyError, TypeError):
        return {}
