"""attach, debug and logs --previous with the real kubectl, on pods that run, crash, initialise and have a sidecar."""

import pytest

from tests.clients.conftest import Server
from tests.clients.test_kubectl import OWN, Kubectl
from tests.clients.test_static_pods import eventually
from tests.clients.test_streams import Typist

SPACE = "debugging"
TICK = 'image: "busybox:1.36", command: [sh, -c, "while true; do echo {word}; sleep 1; done"]'


def a_pod(name: str, spec: str) -> str:
    return f"---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec: {{{spec}}}\n"


def ticking(word: str) -> str:
    return TICK.format(word=word)


PODS = (
    a_pod("web", 'containers: [{name: app, image: "nginx:1.27"}]')
    + a_pod("ticker", f"containers: [{{name: app, {ticking('tick')}}}]")
    + a_pod("crashed", 'containers: [{name: app, image: "busybox:1.36", command: [sh, -c, "echo so far; exit 2"]}]')
    + a_pod(
        "initial",
        f'initContainers: [{{name: first, {ticking("wait")}}}], containers: [{{name: app, image: "nginx:1.27"}}]',
    )
    + a_pod(
        "aside",
        f"initContainers: [{{name: side, restartPolicy: Always, {ticking('beside')}}}], "
        'containers: [{name: app, image: "nginx:1.27"}]',
    )
)


@pytest.fixture(scope="module")
def kubectl(server: Server) -> Kubectl:
    Kubectl(server, OWN, "default")("create", "namespace", SPACE)
    kubectl = Kubectl(server, OWN, SPACE)
    kubectl("apply", "-f", "-", stdin=PODS)
    kubectl("wait", "--for=condition=Ready", "pod/web", "pod/ticker", "pod/aside", "--timeout=60s")
    eventually(lambda: "CrashLoopBackOff" in kubectl("get", "pod", "crashed"), "the pod to crash")
    return kubectl


@pytest.mark.parametrize(
    ("pod", "container", "word"), [("ticker", "app", "tick"), ("initial", "first", "wait"), ("aside", "side", "beside")]
)
def test_attach_shows_what_a_container_prints_from_now_on(kubectl: Kubectl, pod: str, container: str, word: str):
    person = Typist(kubectl, "attach", pod, "-c", container)

    at = person.sees(word)
    person.sees(word, at)
    person.types("\x03")
    person.ended()


@pytest.mark.parametrize("pod", ["crashed", "initial"])
def test_attach_to_a_container_that_does_not_run_is_refused(kubectl: Kubectl, pod: str):
    refused = kubectl("attach", pod, "-c", "app", code=1)

    assert f"unable to upgrade connection: container app not found in pod {pod}_{SPACE}" in refused


def test_the_log_before_the_last_crash_is_kept(kubectl: Kubectl):
    assert kubectl("logs", "--previous", "crashed") == "so far\n"


@pytest.mark.parametrize(("pod", "container"), [("web", "app"), ("initial", "first"), ("aside", "side")])
def test_there_is_no_log_before_the_first_start(kubectl: Kubectl, pod: str, container: str):
    refused = kubectl("logs", "--previous", pod, "-c", container, code=1)

    assert f'previous terminated container "{container}" in pod "{pod}" not found' in refused


def a_debugger(kubectl: Kubectl, *words: str) -> Typist:
    person = Typist(kubectl, "debug", "-it", "--image=busybox:1.36", "--profile=general", *words)
    person.sees("If you don't see a command prompt, try pressing enter.")
    return person


@pytest.mark.parametrize(
    ("pod", "container", "process"),
    [("web", "app", "nginx: master process"), ("initial", "first", "echo wait"), ("aside", "side", "echo beside")],
)
def test_a_debugger_sees_its_target(kubectl: Kubectl, pod: str, container: str, process: str):
    person = a_debugger(kubectl, pod, f"--target={container}")

    person.types("ps\r")
    at = person.sees(process)
    person.types("ls -d /proc/1/root/etc\r")
    person.sees("/proc/1/root/etc\r\n/ # ", at)
    person.types("exit\r")
    assert person.ended() == 0
    assert "the ephemeral container will not be restarted" in person.seen


def test_a_debugger_can_t_join_a_container_that_has_crashed(kubectl: Kubectl):
    kubectl("debug", "crashed", "--image=busybox:1.36", "--target=app", "-c", "late", "--profile=general", "--", "ps")

    eventually(lambda: "invalid target container" in kubectl("get", "pod", "crashed", "-o", "yaml"), "the refusal")


def test_a_node_debugger_finds_the_machine_below_host(kubectl: Kubectl):
    person = a_debugger(kubectl, "node/worker-1")

    person.types("hostname\r")
    at = person.sees("worker-1\r\n/ # ", person.sees("hostname"))
    person.types("chroot /host\r")
    at = person.sees("# ", person.sees("chroot /host", at))
    person.types("grep PRETTY /etc/os-release\r")
    at = person.sees("Debian GNU/Linux 12 (bookworm)", at)
    person.types("crictl pods --name kube-proxy\r")
    at = person.sees("Ready", person.sees("POD ID", at))
    person.types("crictl logs --tail 1 $(crictl ps -q --name kube-proxy) 2>&1 | cut -c1-5\r")
    person.sees("# ", at)
    person.types("exit\r")
    person.types("exit\r")
    assert person.ended() == 0
