"""Daphne with a few additions: it waits for slow readers, asks for client certificates, closes sockets patiently.

Stock Daphne's `send()` never waits, so a client that does not read costs memory without limit: here a `Gate` sits
between Twisted's push-producer interface and the awaiting application. Stock TLS endpoints can't ask for client
certificates: ours do, and the one that was shown stands in `scope["extensions"]["tls"]`. autobahn drops a socket one
second after it said goodbye, with data still on its way: here it waits 30 seconds. A websocket can be refused with an
HTTP answer of our own, and its client has to wait while nobody takes what it sent.

Import order matters: daphne.server installs Twisted's asyncio reactor and must come before anything of Twisted.
"""

from daphne.server import Server as Daphne  # isort: skip

import asyncio
import contextlib
import http
import logging
from collections.abc import Callable
from typing import Any

from daphne.http_protocol import HTTPFactory
from daphne.ws_protocol import WebSocketFactory, WebSocketProtocol
from OpenSSL import SSL, crypto
from twisted.internet import defer, ssl
from twisted.internet import reactor as installed_reactor
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ServerEndpoint
from twisted.internet.interfaces import IPushProducer
from twisted.logger import ILogObserver, globalLogBeginner
from zope.interface import implementer

from dashboard import nameserver, tls

CLOSE_PATIENCE = 30  # Seconds for a websocket's goodbye to arrive behind everything that is still on its way.
HANDSHAKE_PATIENCE = 40  # Seconds until a websocket is accepted: a busy world takes its time, inbox.TIMEOUT at most.
UNREAD_MESSAGES = 64  # Of a websocket, before its client has to wait.
LARGEST_MESSAGE = 16 * 1024 * 1024  # Of a websocket: `kubectl cp` sends what tar gives it.

reactor: Any = installed_reactor  # Twisted's stubs know its interface, not what it is.
log = logging.getLogger(__name__)


@implementer(IPushProducer)
class Gate:
    """Shut while the connection's buffer is full. Twisted calls the three methods with its own spelling."""

    def __init__(self) -> None:
        self._free = asyncio.Event()
        self._free.set()

    async def passable(self) -> None:
        await self._free.wait()

    def pauseProducing(self) -> None:
        self._free.clear()

    def resumeProducing(self) -> None:
        self._free.set()

    stopProducing = resumeProducing


class Socket(WebSocketProtocol):  # type: ignore[misc]
    """A websocket that can be refused with a whole HTTP answer, and that reads no faster than it is listened to."""

    _refusal: dict[str, Any] | None = None

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.http.response.start":
            self._refusal = message
        elif message["type"] == "websocket.http.response.body":
            self._refuse(message.get("body", b""))
        else:
            super().handle_reply(message)
            self._flush()

    def _flush(self) -> None:
        """One TLS record a message: Python's client polls the socket and does not see what OpenSSL holds already."""
        aggregator = getattr(self.transport, "_aggregator", None)
        if aggregator is not None:
            aggregator.flush()

    def _refuse(self, body: bytes) -> None:
        assert self._refusal is not None
        status = int(self._refusal["status"])
        lines = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in self._refusal["headers"] if name.lower() != b"content-length"]
        lines += [b"content-length: " + str(len(body)).encode(), b"connection: close", b"", b""]
        del self.handshake_deferred
        self.server.protocol_disconnected(self)
        self.transport.write(b"\r\n".join(lines) + body)
        self.transport.loseConnection()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        super().onMessage(payload, isBinary)
        if self.application_queue.qsize() > UNREAD_MESSAGES:
            self.transport.pauseProducing()
            reactor.callLater(0.02, self._listen_again)

    def _listen_again(self) -> None:
        if self.application_queue.qsize() > UNREAD_MESSAGES // 2 and self.state == self.STATE_OPEN:
            reactor.callLater(0.02, self._listen_again)
        else:
            with contextlib.suppress(RuntimeError, AttributeError):  # It may have gone meanwhile.
                self.transport.resumeProducing()


class Server(Daphne):  # type: ignore[misc]
    """One process that speaks http on one port, https on another, and DNS on a third."""

    def __init__(
        self, application: Any, host: str, port: int, tls_port: int, ready: Callable[[], None], dns_port: int = 0
    ) -> None:
        super().__init__(
            application,
            endpoints=["ours"],
            http_timeout=None,
            websocket_timeout=-1,
            websocket_max_message_size=LARGEST_MESSAGE,
            websocket_max_frame_size=LARGEST_MESSAGE,
            application_close_timeout=3,
            websocket_connect_timeout=HANDSHAKE_PATIENCE,
            websocket_handshake_timeout=HANDSHAKE_PATIENCE,
            server_name="",
        )
        self._host, self._port, self._tls_port, self._ready = host, port, tls_port, ready
        self._dns_port = dns_port
        self.failure = ""

    def run(self) -> None:
        """Listen and serve until told to stop."""
        self.connections: dict[Any, dict[str, Any]] = {}
        self.http_factory = HTTPFactory(self)
        self.ws_factory = WebSocketFactory(self, server=self.server_name)
        self.ws_factory.protocol = Socket
        self.ws_factory.setProtocolOptions(
            autoPingTimeout=self.ping_timeout,
            allowNullOrigin=True,
            openHandshakeTimeout=self.websocket_handshake_timeout,
            closeHandshakeTimeout=CLOSE_PATIENCE,
            maxMessagePayloadSize=self.websocket_max_message_size,
            maxFramePayloadSize=self.websocket_max_frame_size,
        )
        globalLogBeginner.beginLoggingTo([_be_silent], redirectStandardIO=False, discardBuffer=True)
        reactor.callLater(1, self.application_checker)
        reactor.callLater(2, self.timeout_checker)
        asyncio.set_event_loop(reactor._asyncioEventloop)
        plain = TCP4ServerEndpoint(reactor, self._port, backlog=512, interface=self._host)
        secure = SSL4ServerEndpoint(reactor, self._tls_port, _Tls(), backlog=512, interface=self._host)
        both = defer.gatherResults([plain.listen(self.http_factory), secure.listen(self.http_factory)])
        both.addCallbacks(lambda _: self._ready(), self.listen_error)
        if self._dns_port:
            nameserver.listen(reactor, self._dns_port)
        reactor.addSystemEventTrigger("before", "shutdown", self.kill_all_applications)
        reactor.run(installSignalHandlers=True)

    def listen_error(self, failure: Any) -> None:
        failure.trap(Exception)
        self.failure = str(getattr(failure.value, "subFailure", failure).value)
        self.stop()

    # --- who is there -------------------------------------------------------------------------------------------

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        peer = _peer_of(protocol)
        if scope["type"] == "websocket":
            scope.setdefault("extensions", {})["websocket.http.response"] = {}
            scope["scheme"] = "wss" if hasattr(protocol.transport, "getPeerCertificate") else "ws"  # Daphne forgets it.
        if peer is not None:
            scope.setdefault("extensions", {})["tls"] = peer
        return super().create_application(protocol, scope)

    # --- waiting for slow readers -------------------------------------------------------------------------------

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        kind = message["type"]
        streaming = kind == "websocket.send" or (kind == "http.response.body" and message.get("more_body"))
        gate = getattr(protocol, "gate", None)
        if kind == "http.response.body" and not streaming and gate is not None:
            protocol.unregisterProducer()  # Twisted wants this before the end.
        await super().handle_reply(protocol, message)
        if not streaming or self._is_gone(protocol):
            return
        if gate is None:
            gate = protocol.gate = Gate()
            if kind == "websocket.send":
                with contextlib.suppress(RuntimeError, AttributeError):
                    protocol.transport.unregisterProducer()
                protocol.transport.registerProducer(gate, True)
            else:
                protocol.registerProducer(gate, True)
        await gate.passable()

    def _is_gone(self, protocol: Any) -> bool:
        details = self.connections.get(protocol)
        return details is None or "disconnected" in details

    def protocol_disconnected(self, protocol: Any) -> None:
        super().protocol_disconnected(protocol)
        if (gate := getattr(protocol, "gate", None)) is not None:
            gate.resumeProducing()

    # --- the end ------------------------------------------------------------------------------------------------

    def kill_all_applications(self) -> Any:
        """Cancel what runs and wait until it has ended. (Stock Daphne trips over a connection without a request.)"""
        running = [d["application_instance"] for d in self.connections.values() if "application_instance" in d]
        running = [task for task in running if not task.done()]
        for task in running:
            task.cancel()
        ended = defer.Deferred.fromFuture(asyncio.ensure_future(asyncio.wait(running, timeout=2))) if running else None
        return ended.addErrback(lambda _: None) if ended is not None else None


@implementer(ILogObserver)
def _be_silent(event: Any) -> None:
    """Twisted's own log: every connection that comes and goes."""


class _Tls(ssl.ContextFactory):  # type: ignore[misc]
    """Our certificate, and a question for the client's, which need not show one.

    The handshake proves that a certificate is its client's. Whose it is, and whether it counts, is a matter of the
    cluster that is asked for, which is not known yet: see cluster/gateway/identity.py.
    """

    def __init__(self) -> None:
        place, context = tls.ensure(), SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, (place / "server.crt").read_bytes()))
        context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, (place / "server.key").read_bytes()))
        context.set_session_id(b"orrery")  # Without it a client with a certificate can't resume its session.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_CLIENT_ONCE, lambda *_: True)
        self._context = context

    def getContext(self) -> SSL.Context:
        return self._context


def _peer_of(protocol: Any) -> dict[str, Any] | None:
    """{certificate} of a client that showed one, in DER. Read once a connection."""
    transport: Any = getattr(protocol, "transport", None)
    if not hasattr(transport, "getPeerCertificate"):
        return None
    if not hasattr(transport, "orrery_peer"):
        certificate = transport.getPeerCertificate()
        shown = None if certificate is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
        transport.orrery_peer = None if shown is None else {"certificate": shown}
    return transport.orrery_peer  # type: ignore[no-any-return]
