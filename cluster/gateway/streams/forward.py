"""port-forward: connections to a pod's ports through one websocket, in two forms.

    SPDY/3.1+portforward.k8s.io    kubectl 1.31 and newer: a SPDY connection inside; two streams a connection, one for
                                   data and one for errors, told apart by their headers streamType, port, requestID
    v4.channel.k8s.io              Python and JavaScript: channels 2i and 2i + 1 are data and errors of port i of the
                                   query; the first message on each holds the port as two bytes, little-endian

Bytes go into the world as inputs, and what the program answers comes out of the session's rows. A connection to a
program that is a site of the gateway's (computed.py) never gets there: http1.py speaks with it.

Mirrors:  k8s.io/apiserver/pkg/util/proxy/streamtunnel.go, k8s.io/kubelet/pkg/cri/streaming/portforward
"""

import asyncio
import contextlib
import struct
from dataclasses import dataclass
from typing import Any

from cluster.apiserver.target import Target
from cluster.gateway import computed
from cluster.gateway.http import Request
from cluster.gateway.streams import spdy
from cluster.gateway.streams.http1 import Connection
from cluster.gateway.streams.pump import Pump, Refused, ask
from cluster.gateway.streams.socket import PIECE, Socket
from cluster.objects import errors

TUNNEL = "SPDY/3.1+portforward.k8s.io"
CHANNELS = ("v4.channel.k8s.io", "v4.base64.channel.k8s.io")
MAX_PORTS = 32
MAX_DATA = 256 * 1024  # Bytes of one input.


async def serve(socket: Socket, target: Target) -> None:
    """Errors: whatever the world refuses before the upgrade."""
    request = socket.request
    tunnelled = TUNNEL in (socket.scope.get("subprotocols") or ())
    ports = [] if tunnelled else _ports(request)
    wanted = {"type": "port-forward", "namespace": target.namespace, "pod": target.name, "user": request.user.plain()}
    begun = await ask(request.cluster, wanted)
    await socket.accept((TUNNEL,) if tunnelled else CHANNELS)
    pump = Pump(request.cluster, begun["session"], begun["from"])
    pod = (target.namespace, target.name)
    form: Form = Tunnel(socket, pump, begun, pod) if tunnelled else Channels(socket, pump, begun, pod, ports)
    try:
        await _run(form)
    finally:
        await form.leave_sites()
        with contextlib.suppress(errors.ApiError):
            await pump.act("drop")


def _ports(request: Request) -> list[int]:
    """Errors: BadRequest."""
    texts = [text for value in request.values("ports") for text in value.split(",")]
    if not texts:
        raise errors.BadRequest('query parameter "ports" is required')
    if len(texts) > MAX_PORTS:
        raise errors.BadRequest(f"{len(texts)} ports; at most {MAX_PORTS} can be forwarded by one connection")
    for text in texts:
        if not text.isdecimal() or not 1 <= int(text[:6]) <= 65535:
            raise errors.BadRequest(f'unable to parse "{text}" as a port')
    return [int(text) for text in texts]


class Form:
    """How connections look to the client. Connection numbers are ours, from 0 on."""

    def __init__(self, socket: Socket, pump: Pump, begun: dict[str, Any], pod: tuple[str, str]) -> None:
        self.socket, self.pump, self.sandbox, self.pod = socket, pump, str(begun["sandbox"]), pod
        self.sites: dict[int, Connection] = {}

    async def listen(self) -> None:
        """Take what the client sends until it is gone."""
        raise NotImplementedError

    async def pass_on(self, connection: int, data: bytes) -> None:
        """What the program said."""
        raise NotImplementedError

    async def ended(self, connection: int) -> bool:
        """The program closed a connection. Returns whether that was the last there will be."""
        raise NotImplementedError

    async def open(self, connection: int, port: int) -> str:
        """Ask for a connection. Returns what is wrong; empty: nothing."""
        site = await computed.site_of(self.pump.cluster, *self.pod, port)
        if site is not None:
            self.sites[connection] = Connection(site, _Way(self, connection))
            return ""
        answer = await self.pump.act("open", connection=str(connection), port=port)
        return _refusal(port, self.sandbox) if answer.get("refused") else ""

    async def send(self, connection: int, data: bytes) -> None:
        """Bytes for the program."""
        if connection in self.sites:
            await self.sites[connection].received(data)
            return
        for start in range(0, len(data), MAX_DATA):
            text = data[start : start + MAX_DATA].decode("latin-1")
            await self.pump.act("data", connection=str(connection), data=text)

    async def shut(self, connection: int) -> None:
        """The client has said all it had on a connection."""
        if connection in self.sites:
            await self.sites[connection].received(b"")
        else:
            await self.pump.act("shut", connection=str(connection))

    async def leave_sites(self) -> None:
        for site in list(self.sites.values()):
            await site.leave()


class _Way:
    """Where a site's answers go."""

    def __init__(self, form: Form, connection: int) -> None:
        self._form, self._connection = form, connection

    async def send(self, data: bytes) -> None:
        await self._form.pass_on(self._connection, data)

    async def close(self) -> None:
        self._form.sites.pop(self._connection, None)
        if await self._form.ended(self._connection):
            await self._form.socket.close(1000, "")


async def _run(form: Form) -> None:
    """Both directions, until the client is gone or the session is."""
    listening, printing = asyncio.create_task(form.listen()), asyncio.create_task(_print(form))
    await asyncio.wait((listening, printing), return_when=asyncio.FIRST_COMPLETED)
    for task in (listening, printing):
        task.cancel()
    results = await asyncio.gather(listening, printing, return_exceptions=True)
    problem = next((one for one in results if isinstance(one, spdy.ProtocolError | errors.ApiError)), None)
    await form.socket.close(1011 if problem else 1000, str(problem or ""))


async def _print(form: Form) -> None:
    while True:
        printed = await form.pump.printed()
        for channel, data in printed.parts:
            if channel >= 0:
                await form.pass_on(channel, data)
            elif await form.ended(-channel - 1):
                return
        if printed.over:
            return
        await form.pump.acknowledge()


def _refusal(port: int, sandbox: str) -> str:
    """What the kubelet says when nobody listens."""
    inside = f'failed to connect to localhost:{port} inside namespace "{sandbox}"'
    tried = (
        f"IPv4: dial tcp4 127.0.0.1:{port}: connect: connection refused"
        f" IPv6 dial tcp6 [::1]:{port}: connect: connection refused"
    )
    netns = f"/var/run/netns/cni-{sandbox[:8]}-{sandbox[8:12]}-{sandbox[12:16]}"
    problem = f'failed to execute portforward in network namespace "{netns}": {inside}, {tried} '
    return f"error forwarding port {port} to pod {sandbox}, uid : {problem}"


# --- channels ---------------------------------------------------------------------------------------------------


class Channels(Form):
    """One connection a port, which begins at once."""

    def __init__(
        self, socket: Socket, pump: Pump, begun: dict[str, Any], pod: tuple[str, str], ports: list[int]
    ) -> None:
        super().__init__(socket, pump, begun, pod)
        self.ports, self.living = ports, set(range(len(ports)))

    async def listen(self) -> None:
        for number, port in enumerate(self.ports):
            for channel in (2 * number, 2 * number + 1):
                await self.socket.send(channel, struct.pack("<H", port))
            problem = await self.open(number, port)
            if problem:
                await self.socket.send(2 * number + 1, problem.encode())
                self.living.discard(number)
        while self.living and (message := await self.socket.message()) is not None:
            number, is_error = divmod(message.channel, 2)
            if number in self.living and not is_error and message.data:
                await self.send(number, message.data)

    async def pass_on(self, connection: int, data: bytes) -> None:
        await self.socket.send(2 * connection, data)

    async def ended(self, connection: int) -> bool:
        self.living.discard(connection)
        return not self.living


# --- SPDY inside the websocket ----------------------------------------------------------------------------------


@dataclass
class Pair:
    """One connection: its two streams."""

    number: int
    port: int
    data: int = 0
    error: int = 0
    over: bool = False


class Tunnel(Form):
    """A SPDY connection whose streams come in pairs."""

    def __init__(self, socket: Socket, pump: Pump, begun: dict[str, Any], pod: tuple[str, str]) -> None:
        super().__init__(socket, pump, begun, pod)
        self.spdy = spdy.Spdy()
        self.pairs: dict[str, Pair] = {}  # By requestID.
        self.by_stream: dict[int, Pair] = {}
        self.by_number: dict[int, Pair] = {}
        self.opened = 0

    async def listen(self) -> None:
        while (data := await self.socket.raw()) is not None:
            for frame in self.spdy.received(data.encode("latin-1", "replace") if isinstance(data, str) else data):
                await self._take(frame)

    async def _take(self, frame: spdy.Frame) -> None:
        if frame.kind == spdy.PING:
            await self.socket.send_raw(self.spdy.ping(frame.stream))
        elif frame.kind == spdy.SYN_STREAM:
            await self._begin(frame)
        elif frame.kind == spdy.DATA:
            pair = self.by_stream.get(frame.stream)
            if pair is None or pair.over or frame.stream != pair.data:
                return
            if frame.data:
                await self.send(pair.number, frame.data)
            if frame.is_last:
                await self._shut(pair)
        elif frame.kind == spdy.RST_STREAM:
            pair = self.by_stream.get(frame.stream)
            if pair is not None:
                await self._shut(pair)

    async def _begin(self, frame: spdy.Frame) -> None:
        """A stream; with its second one a connection begins."""
        headers = frame.headers or {}
        kind, request, port = headers.get("streamtype"), headers.get("requestid", ""), headers.get("port", "")
        if kind not in ("data", "error") or not port.isdecimal() or not 1 <= int(port[:6]) <= 65535:
            await self.socket.send_raw(self.spdy.reset(frame.stream))
            return
        if len(self.by_stream) >= spdy.MAX_STREAMS:
            raise spdy.ProtocolError(f"{spdy.MAX_STREAMS} streams are open already")
        await self.socket.send_raw(self.spdy.reply(frame.stream))
        pair = self.pairs.get(request)
        if pair is None:
            pair = self.pairs[request] = Pair(self.opened, int(port))
            self.by_number[self.opened] = pair
            self.opened += 1
        setattr(pair, kind, frame.stream)
        self.by_stream[frame.stream] = pair
        if pair.data and pair.error:
            problem = await self._open(pair)
            if problem:
                await self._close(pair, problem)

    async def _open(self, pair: Pair) -> str:
        try:
            return await self.open(pair.number, pair.port)
        except Refused as error:
            return error.message

    async def _shut(self, pair: Pair) -> None:
        """The client has said all it had. The session's last word on the connection comes behind all answers."""
        if not pair.over:
            await self.shut(pair.number)

    async def _close(self, pair: Pair, problem: str = "") -> None:
        if pair.over:
            return
        pair.over = True
        await self.socket.send_raw(self.spdy.data(pair.data, b"", last=True))
        await self.socket.send_raw(self.spdy.data(pair.error, problem.encode(), last=True))
        self.pairs = {request: one for request, one in self.pairs.items() if one is not pair}
        for stream in (pair.data, pair.error):
            self.by_stream.pop(stream, None)
        self.by_number.pop(pair.number, None)

    async def pass_on(self, connection: int, data: bytes) -> None:
        pair = self.by_number.get(connection)
        if pair is None or pair.over:
            return
        for start in range(0, len(data), PIECE):
            await self.socket.send_raw(self.spdy.data(pair.data, data[start : start + PIECE]))

    async def ended(self, connection: int) -> bool:
        pair = self.by_number.get(connection)
        if pair is not None:
            await self._close(pair)
        return False
