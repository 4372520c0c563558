"""What nobody should type: odd scripts, odd pods, odd probes. Hypothesis makes them up of pieces that mean something.

A watch stands by meanwhile: the simulation may open no file, start no process, reach no network, run no text as code.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as st

from cluster.objects import Manifest

PIECES = (
    "echo", "printf", "sleep 1", "sleep 99999999d", "sleep .5", "date", "date +%s%N%q", "true", "false", "exit",
    "exit 3", "return", "break", "continue", "trap", "wait", "wait 1", "set -e", "set -u", "set -x", "eval", "exec",
    "sh -c", "cat", "tail -f", "head -n", "tail -n", "grep", "sed s/a/b/", "awk '{print $1}'",
    "awk 'BEGIN{while(1)a[i++]=i}'",
    "awk '{print > \"/x\"}'", "xargs -n1", "xargs -I{} sh -c {}", "timeout 1", "watch", "find / -exec", "{} \\;", "bc",
    "expr", "diff /etc/passwd -", "getopts a:b x", "split -l1", "IFS=:;", "wc", "seq",
    "seq 10000", "tee", "xargs", "env", "export", "local", "let", "expr", "test", "[", "]", "[ -f", "read a",
    "kill -9 1", "kill 1", "ls -l /", "rm -rf /", "mkdir -p", "touch", "cp", "mv", "ln -s",
    "dd if=/dev/zero of=/tmp/z bs=1M count=2", "curl", "wget -O-", "nc -l -p 80", "nslookup", "ping -c 1", "base64",
    "tar cf -", "gzip", "yes", "hostname", "id", "ps", "top", "find /", "sort", "uniq -c", "/etc/passwd",
    "/proc/self/environ", "../../../../etc/shadow", "/dev/null", "/dev/stdout", "/var/run", "-", "--", "-c", "-n",
    "-1", "--5", "²", "٣", "é", "0x10", "1_000", "99999999999999999999", "9" * 4_400, "a" * 5_000, "''", '""', "'",
    '"', "`", "`date`", "$(", "$(date)", "$(seq 10000)", "${", "${a:-", "${a%%*}", "${#a}", "${1}",
    "${99999999999999999999}", "$a", "$@", "$?", "$$", "$((", "$((1/0))", "$((1<<99))", "$((a--))", "$((9**9**9))",
    "))", "a=1", "a=--5", "a=²", "a=$a$a$a", "a='eval $a'", "|", "||", "&&", "&", ";", ";;", "!", "! ! !", "(", ")",
    "{", "}", "\n", "\\", "#", "~", "*", "?", "[a-", ">", ">>", "<", "<<E", "\nE\n", "2>&1", ">&²", "if", "then",
    "else", "elif", "fi", "while", "until", "do", "done", "for", "i in 1 2 3", "case", "in", "esac", "a)", "*)",
    "f() {", "f", "function", "while :; do", "while true; do sleep 1; done", "while f() { :; }; do g() { :; }; done",
    "__import__('os').system('id')", "import os", "\x00", "\x1b[2J", "\ud7ff", "\uffff",
)  # fmt: skip
NUMBERS = (-(1 << 63), -1, 0, 1, 2, 30, 65_535, 65_536, (1 << 31) - 1, 1 << 31, 1 << 63)
TEXTS = st.one_of(st.sampled_from(PIECES), st.text(max_size=12))
SCRIPTS = st.lists(TEXTS, max_size=14).map(" ".join)
ARGV = st.one_of(
    SCRIPTS.map(lambda script: ["sh", "-c", script]),
    SCRIPTS.map(lambda script: ["sh", "-ec", script, "a", "b"]),
    st.lists(TEXTS, min_size=1, max_size=4),
)
IMAGES = st.sampled_from((
    "busybox", "nginx", "redis", "httpd", "alpine", "orrery/crasher", "orrery/leaker", "orrery/flaky", "polinux/stress",
    "hashicorp/http-echo", "registry.k8s.io/e2e-test-images/agnhost", "ealen/echo-server", "registry.k8s.io/pause",
    "registry.k8s.io/metrics-server/metrics-server", "traefik/whoami", "mysql", "postgres", "nobody/knows:this",
))  # fmt: skip
NAMES = st.sampled_from((
    "CRASH_AFTER", "EXIT_CODE", "STARTUP", "FAIL_EVERY", "PORT", "PATH", "HOME", "a", "IFS", "MYSQL_ROOT_PASSWORD",
    "POSTGRES_PASSWORD", "PGDATA", "MYSQL_DATABASE",
))  # fmt: skip
ENV = st.lists(st.builds(lambda name, value: {"name": name, "value": value}, NAMES, TEXTS), max_size=3)
QUANTITIES = st.sampled_from(("0", "1m", "1", "1Ki", "64Mi", "1e9", "0.0001", "-1", "9" * 30, "1Ei", "²", ""))
RESOURCES = st.dictionaries(
    st.sampled_from(("requests", "limits")),
    st.dictionaries(st.sampled_from(("cpu", "memory", "ephemeral-storage")), QUANTITIES, max_size=2),
    max_size=2,
)
PORTS = st.sampled_from((*NUMBERS, 80, 6379, 3306, 5432, 8080, "http", "", "²"))
HEADERS = st.lists(st.builds(lambda name, value: {"name": name, "value": value}, TEXTS, TEXTS), max_size=2)
HOSTS = st.sampled_from(("", "::1", "²", "10.0.0.1"))
HANDLERS = st.one_of(
    ARGV.map(lambda argv: {"exec": {"command": argv}}),
    st.builds(
        lambda path, port, headers: {"httpGet": {"path": path, "port": port, "httpHeaders": headers}},
        TEXTS, PORTS, HEADERS,
    ),
    st.builds(lambda port, host: {"tcpSocket": {"port": port, "host": host}}, PORTS, HOSTS),
    st.builds(lambda port, service: {"grpc": {"port": port, "service": service}}, PORTS, TEXTS),
)  # fmt: skip
TIMES = st.dictionaries(
    st.sampled_from(
        ("initialDelaySeconds", "periodSeconds", "timeoutSeconds", "failureThreshold", "terminationGracePeriodSeconds")
    ),
    st.sampled_from((*NUMBERS, 1, 1, 2, 3)),
    max_size=2,
)
PROBES = st.builds(lambda handler, times: {**handler, **times}, HANDLERS, TIMES)
HOOKS = st.one_of(HANDLERS, st.sampled_from(NUMBERS).map(lambda seconds: {"sleep": {"seconds": seconds}}))
VOLUMES = st.sampled_from((
    {"emptyDir": {}}, {"emptyDir": {"sizeLimit": "1Ki"}}, {"hostPath": {"path": "/etc"}},
    {"configMap": {"name": "none"}}, {"hostPath": {"path": "../../.."}},
    {"secret": {"secretName": "none", "optional": True}},
    {"downwardAPI": {"items": [{"path": "../x", "fieldRef": {"fieldPath": "metadata.name"}}]}},
))  # fmt: skip
MOUNTS = st.sampled_from(("/data", "/", "/etc", "/var/lib/mysql", "relative", "/a/../b", "/proc", "/é"))


@st.composite
def pods(draw: st.DrawFn) -> Manifest:
    """A pod that may be refused; one that is not must harm nobody."""
    container: Manifest = {"name": "app", "image": draw(IMAGES)}
    for field, values in (("command", ARGV), ("args", ARGV), ("env", ENV), ("resources", RESOURCES)):
        if draw(st.booleans()):
            container[field] = draw(values)
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        if draw(st.integers(0, 3)) == 0:
            container[field] = draw(PROBES)
    if draw(st.integers(0, 3)) == 0:
        container["lifecycle"] = {draw(st.sampled_from(("postStart", "preStop"))): draw(HOOKS)}
    container |= draw(
        st.sampled_from(({}, {}, {"stdin": True}, {"stdin": True, "tty": True}, {"workingDir": "/none/such"}))
    )
    spec: Manifest = {
        "containers": [container],
        "restartPolicy": draw(st.sampled_from(("Always", "Never", "OnFailure"))),
    }
    if draw(st.integers(0, 2)) == 0:
        spec["volumes"] = [{"name": "v", **draw(VOLUMES)}]
        container["volumeMounts"] = [{"name": "v", "mountPath": draw(MOUNTS)}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "odd"}, "spec": spec}


# --- the watch ---------------------------------------------------------------------------------------------------

FORBIDDEN = ("os.", "subprocess.", "socket.", "shutil.", "pty.", "ctypes.", "urllib.")
_seen: list[str] = []
_on = False


def _audit(event: str, args: tuple[Any, ...]) -> None:
    if not _on:
        return
    if event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so")):
        _seen.append(f"open {args[0]!r}")
    elif event.startswith(FORBIDDEN) and event not in ("os.listdir", "os.scandir"):  # Python looks for modules so.
        _seen.append(f"{event} {args!r:.200}")
    elif (
        event == "exec" and getattr(args[0], "co_filename", "<").startswith("<") and "frozen" not in args[0].co_filename
    ):
        _seen.append(f"exec {args[0]!r}")


sys.addaudithook(_audit)


@contextmanager
def watched() -> Iterator[list[str]]:
    """What happened meanwhile that must not."""
    global _on
    _seen.clear()
    _on = True
    try:
        yield _seen
    finally:
        _on = False
