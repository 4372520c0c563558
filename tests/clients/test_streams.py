"""exec, attach, cp, port-forward and run -it, as real clients do them."""

import contextlib
import os
import pty
import select
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import kubernetes
import pytest
from kubernetes.stream import portforward, stream

from tests.clients.conftest import Server
from tests.clients.test_kubectl import Kubectl, kubectls

PATIENCE = 40.0


@pytest.fixture(scope="module")
def space(server: Server) -> str:
    """A namespace with a web server and a box to type into, for all tests of this file."""
    Kubectl(server, kubectls()[0], "default")("create", "namespace", "streams")
    kubectl = Kubectl(server, kubectls()[0], "streams")
    kubectl("run", "web", "--image=nginx:1.27", "--port=80")
    kubectl("run", "box", "--image=busybox:1.36", "--", "sleep", "1000000")
    kubectl("expose", "pod", "web", "--port=80")
    kubectl("wait", "--for=condition=Ready", "pod/web", "pod/box", "--timeout=60s")
    return "streams"


@pytest.fixture(params=kubectls(), ids=lambda path: "-".join(path.parts[-3:]))
def kubectl(server: Server, request: Any, space: str) -> Kubectl:
    made = Kubectl(server, request.param, space)
    minor = int(
        "".join(c for c in made("version", "--client", "-o", "json").partition('"minor": "')[2][:3] if c.isdigit())
    )
    made.can_forward = minor >= 31  # type: ignore[attr-defined]
    made.can_stream = minor >= 30  # type: ignore[attr-defined]
    return made


class Typist:
    """A kubectl at a terminal."""

    def __init__(self, kubectl: Kubectl, *words: str) -> None:
        pid, self.terminal = pty.fork()
        if pid == 0:
            command = [str(kubectl.program), "--namespace", kubectl.namespace, *words]
            os.execve(command[0], command, kubectl.server.environment)
        self.pid, self.seen = pid, ""

    def sees(self, text: str, after: int = 0) -> int:
        """Wait until `text` is on the screen behind position `after`; where it ends."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen[after:]:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.seen[after:]!r}"
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    data = os.read(self.terminal, 65536)
                except OSError:
                    data = b""
                assert data, f"it ended without {text!r}: {self.seen[after:]!r}"
                self.seen += data.decode(errors="replace")
        return self.seen.index(text, after) + len(text)

    def types(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def ended(self) -> int:
        """Wait for its end; its exit code."""
        with contextlib.suppress(OSError):
            while select.select([self.terminal], [], [], PATIENCE)[0] and (data := os.read(self.terminal, 65536)):
                self.seen += data.decode(errors="replace")
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def refuses_old_ones(kubectl: Kubectl) -> bool:
    """kubectl 1.29 and older speak SPDY only, and hear so."""
    if kubectl.can_stream:  # type: ignore[attr-defined]
        return False
    assert "use kubectl 1.30 or newer" in kubectl("exec", "box", "--", "ls", code=1)
    return True


def test_exec_prints_what_the_command_prints_and_ends_as_it_does(kubectl: Kubectl):
    if refuses_old_ones(kubectl):
        return
    assert kubectl("exec", "web", "--", "ls", "/usr/share/nginx/html") == "50x.html\nindex.html\n"
    assert kubectl("exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 3", code=3).startswith("out\nerr\n")
    assert kubectl("exec", "-i", "box", "--", "wc", "-c", stdin="hello\n") == "6\n"
    assert kubectl("exec", "-i", "box", "--", "sh", stdin="echo one\nhostname\n") == "one\nbox\n"
    assert 'exec: "bash": executable file not found in $PATH' in kubectl("exec", "box", "--", "bash", code=1)
    assert kubectl("exec", "box", "--", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 5; done") == "1\n2\n3\n"


def test_a_person_at_a_terminal_can_use_a_shell(kubectl: Kubectl):
    if refuses_old_ones(kubectl):
        return
    person = Typist(kubectl, "exec", "-it", "box", "--", "sh")
    at = person.sees("/ # ")
    person.types("echo $((6 * 7))\r")
    at = person.sees("42\r\n/ # ", at)
    person.types("sleep 1000000\r")
    at = person.sees("sleep 1000000\r\n", at)
    person.types("\x03")
    at = person.sees("^C\r\n/ # ", at)
    person.types("exit 4\r")

    assert person.ended() == 4


def test_run_with_a_terminal_is_a_shell_of_ones_own(kubectl: Kubectl):
    if refuses_old_ones(kubectl):
        return
    person = Typist(kubectl, "run", "own", "-it", "--rm", "--image=busybox:1.36", "--restart=Never", "--", "sh")
    at = person.sees("If you don't see a command prompt, try pressing enter.")
    person.types("\r")
    at = person.sees("/ # ", at)
    person.types("hostname\r")
    at = person.sees("own\r\n/ # ", at)
    person.types("exit\r")

    assert person.ended() == 0
    assert 'pod "own" deleted' in person.seen


def test_run_reads_from_a_pipe(kubectl: Kubectl):
    if refuses_old_ones(kubectl):
        return
    said = kubectl("run", "copy", "-i", "--rm", "--image=busybox:1.36", "--restart=Never", "--", "cat", stdin="hello\n")

    assert "hello\n" in said


def test_attach_shows_what_process_1_prints(kubectl: Kubectl):
    if refuses_old_ones(kubectl):
        return
    kubectl("run", "clock", "--image=busybox:1.36", "--", "sh", "-c", "while true; do echo tick; sleep 5; done")
    kubectl("wait", "--for=condition=Ready", "pod/clock", "--timeout=60s")
    watching = kubectl.start("attach", "clock")

    assert watching.stdout is not None
    lines = [watching.stdout.readline() for _ in range(2)]
    watching.terminate()
    watching.wait(PATIENCE)
    kubectl("delete", "pod", "clock", "--now")
    assert lines == ["tick\n", "tick\n"]


def test_files_are_copied_both_ways(kubectl: Kubectl, tmp_path: Path):
    if refuses_old_ones(kubectl):
        return
    content = os.urandom(300_000)
    (tmp_path / "there").write_bytes(content)

    kubectl("cp", str(tmp_path / "there"), "box:/tmp/data")
    kubectl("cp", "box:/tmp/data", str(tmp_path / "back"))

    assert (tmp_path / "back").read_bytes() == content
    assert kubectl("exec", "box", "--", "wc", "-c", "/tmp/data") == "300000 /tmp/data\n"


def test_a_forwarded_port_is_the_programs(kubectl: Kubectl):
    if refuses_old_ones(kubectl) or not kubectl.can_forward:  # type: ignore[attr-defined]
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    forwarding = kubectl.start("port-forward", "service/web", f"{port}:80")
    assert forwarding.stdout is not None
    assert "Forwarding from" in forwarding.stdout.readline()

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=PATIENCE) as answer:
        page = answer.read().decode()
    with pytest.raises(urllib.error.HTTPError) as missing:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/nope", timeout=PATIENCE)
    forwarding.terminate()
    forwarding.wait(PATIENCE)

    assert "<h1>Welcome to nginx!</h1>" in page
    assert missing.value.code == 404
    assert '"GET /nope HTTP/1.1" 404' in kubectl("logs", "web")


# --- Python -----------------------------------------------------------------------------------------------------


@pytest.fixture
def core(space: str, kubeconfig: Path) -> kubernetes.client.CoreV1Api:
    return kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(kubeconfig)))


def test_python_executes_and_types(core: kubernetes.client.CoreV1Api, space: str):
    call = core.connect_get_namespaced_pod_exec
    assert stream(call, "box", space, command=["echo", "hé"], stdout=True, stderr=True) == "hé\n"

    shell = stream(call, "box", space, command=["sh"], stdin=True, stdout=True, stderr=True, _preload_content=False)
    shell.write_stdin("echo one; echo two >&2\n")
    assert shell.readline_stdout(timeout=PATIENCE) == "one"
    assert shell.readline_stderr(timeout=PATIENCE) == "two"
    shell.write_stdin("exit 3\n")
    shell.run_forever(timeout=PATIENCE)
    assert shell.returncode == 3


def test_python_forwards_ports(core: kubernetes.client.CoreV1Api, space: str):
    forward = portforward(core.connect_get_namespaced_pod_portforward, "web", space, ports="80,81")
    connection = forward.socket(80)
    connection.settimeout(PATIENCE)
    connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    received = b""
    while b"</html>" not in received:
        received += connection.recv(65536)
    deadline = time.monotonic() + PATIENCE
    while not forward.error(81) and time.monotonic() < deadline:
        threading.Event().wait(0.05)

    assert received.startswith(b"HTTP/1.1 200 OK\r\nServer: nginx/1.27")
    assert "connection refused" in forward.error(81)


def test_python_hears_why_it_may_not(core: kubernetes.client.CoreV1Api, space: str):
    with pytest.raises((kubernetes.client.ApiException, AttributeError)) as refused:  # It stumbles over its own error.
        stream(core.connect_get_namespaced_pod_exec, "none", space, command=["ls"], stdout=True)

    assert "404 Not Found" in f"{refused.value} {refused.value.__context__}"


def test_the_api_server_passes_requests_on_to_programs(core: kubernetes.client.CoreV1Api, space: str):
    assert "Welcome to nginx!" in core.connect_get_namespaced_service_proxy_with_path("web:80", space, "index.html")
    assert "Welcome to nginx!" in core.connect_get_namespaced_pod_proxy("web", space)
    for call, name, status in (
        (core.connect_get_namespaced_pod_proxy, "web:81", 503),
        (core.connect_get_namespaced_service_proxy, "none", 503),
        (core.connect_get_namespaced_pod_proxy, "none", 404),
    ):
        with pytest.raises(kubernetes.client.ApiException) as refused:
            call(name, space)
        assert refused.value.status == status


def test_nothing_is_ever_executed_here(kubectl: Kubectl, tmp_path: Path):
    """What a container's shell writes and runs stays data."""
    if refuses_old_ones(kubectl):
        return
    target = tmp_path / "outside"

    kubectl("exec", "box", "--", "sh", "-c", f"mkdir -p {tmp_path}; touch {target}; $(echo touch) {target}.2")

    assert list(tmp_path.iterdir()) == []
