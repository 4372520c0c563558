"""What two runs of one kubectl command may print differently. This table is all of it; the rest must be equal.

The transcript was recorded on a real control plane of 1.37.2 with KWOK's nodes. Names with a random end, ages and
addresses are made up anew each time; the width of columns follows from them.

Read next: transcript.py, which runs the commands.
"""

import re
from collections import Counter
from typing import NamedTuple


class Rewrite(NamedTuple):
    """What `pattern` finds becomes `by`."""

    pattern: re.Pattern[str]
    by: str
    why: str


def _rewrite(pattern: str, by: str, why: str) -> Rewrite:
    return Rewrite(re.compile(pattern, re.MULTILINE), by, why)


SAFE = "[bcdfghjklmnpqrstvwxz2456789]"  # The alphabet of generated suffixes.

REWRITES = (
    _rewrite(r"^(real|orrery-default)$", "<context>", "how the kubeconfig calls it"),
    _rewrite(r"https?://[\w.-]+(:\d+)?(/clusters/[\w-]+)?(?=[\s/]|$)", "<server>", "where the server listens"),
    _rewrite(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", "<time>", "the run was at another time"),
    _rewrite(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}", "<time>", "the same, as describe prints it"),
    _rewrite(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? \+0000( UTC)?", "<time>", "the same, as Go prints it"),
    _rewrite(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uid>", "made up anew for each object"),
    _rewrite(r"\beyJ[\w.-]+", "<token>", "signed by another key"),
    _rewrite(r"(/tmp/(LIVE|MERGED)-)\w+", r"\1<n>", "kubectl diff makes up a directory"),
    _rewrite(rf"(?<=\bweb-)(?!78975c9d56|575775fbdc){SAFE}{{8,10}}(?=-)", "<hash>",
             "a rollout restart notes the time in the template"),
    _rewrite(rf"(?<=[-_]){SAFE}{{5}}\b(?!-)", "<random>", "generateName draws by chance"),
    _rewrite(r"(?<=-)\d{8}\b", "<minute>", "a CronJob names its Jobs after the minute"),
    _rewrite(r"\.[0-9a-f]{16}\b", ".<event>", "events are named after the nanosecond"),
    _rewrite(r'([rR]esource ?[vV]ersion"?: +)"?\d+"?', r"\1<revision>", "revisions count everything in the cluster"),
    _rewrite(r"(resource version: |in record \()\d+", r"\1<revision>", "revisions count everything in the cluster"),
    _rewrite(r"\b(\d+):3\d{4}/", r"\1:<port>/", "node ports are drawn by chance"),
    _rewrite(r"((NodePort:|nodePort:).* )3\d{4}", r"\1<port>", "node ports are drawn by chance"),
    _rewrite(r"\b10\.\d+\.\d+\.\d+\b(?!/)", "<address>", "addresses are given out in another order"),
    _rewrite(r"\bw-\d+\b(?! labeled| unlabeled)", "w-<n>", "six equal nodes: which one is taken is chance"),
    _rewrite(r"\S*/(tmp\w+|pytest-of-\w+/pytest-\d+(/popen-\w+)?/\w+)", "<directory>", "where the command ran"),
    _rewrite(r"\(dir\)/run/cwd", "<directory>", "the same, as the recorder wrote it"),
    _rewrite(r"(Holder Identity: +)\S+|\S+_<uid>", r"\1<holder>", "named after the process"),
    _rewrite(r"[EIW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ ", "", "the head of a log line: time and process"),
    _rewrite(r"\(x\d+ over [^)]*\)", "", "how often it had been said"),
    _rewrite(r"used: pods=\d+", "used: pods=<n>", "counts pods that are just going"),
    _rewrite(r"; deleting Pods that declare no controller:.*", "", "a list in no particular order"),
)  # fmt: skip

# Three digits before the m are a quantity of CPU, not minutes.
AGE = re.compile(r"(?<![\w.-])(\d+y)?(\d+d)?(\d+h)?(\d{1,2}m)?(\d+(\.\d+)?s)?(?<=[ydhms])(?![\w.])")

# The kubectl's own versions; and what is said while waiting, which depends on who is quicker.
LEFT_OUT = re.compile(
    r"(Client Version|Kustomize Version|Warning: version difference)"
    r"|Waiting for (deployment|daemon set|\d+ pods|partitioned)|evicting pod |error when evicting pod "
    r"|reflector\.go|.*\(combined from similar events\)"
)
# No kubelet was recorded, but KWOK: what a kubelet says of its pods and of its node is left out.
KUBELETS = re.compile(
    r".*\b(Normal|Warning) +(Pulling|Pulled|Created|Started|Killing|BackOff|Failed)\b"
    r"|(Container ID|Image ID):|PodReadyToStartContainers |(kwok.x-k8s.io|volumes.kubernetes.io/controller-managed)"
)
EVENT = re.compile(r"^(\S+ )?(<age> |<unknown> )?(Normal|Warning) \S+ ")
UNORDERED = re.compile(r"--show-managed-fields|componentstatuses")
WHOLE_CLUSTER = re.compile(r"kubectl (get (ns|nodes|pods -A|leases)|describe (node|lease))\b")
RACING = re.compile(r'pod ".*<random>|replicaset\.apps "|job\.batch "(j3|c2-<minute>)"')
DESCRIBED = re.compile(r"Acquire|Renew|Lease Transitions|PodCIDR|Events|Type Reason Age|--- ---")
STRUCTURE = re.compile(r"(GROUP|KIND|VERSION|FIELDS?):|.*\t<")


def lines_of(text: str, command: str, namespace: str) -> list[str]:
    """The comparable lines of what `command` printed."""
    if command.startswith("kubectl explain"):  # Names and types; the sentences are the documentation's.
        text = "\n".join(line for line in text.splitlines() if STRUCTURE.match(line) or line.startswith("error"))
    for pattern, by, _ in REWRITES:
        text = pattern.sub(by, text)
    text = AGE.sub("<age>", text).replace("<invalid>", "<age>")  # Simulated time may be ahead of kubectl's.
    lines = [re.sub(r"\s+", " ", re.sub(r"-{3,}", "---", line)).strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not LEFT_OUT.match(line) and not KUBELETS.match(line)]
    if "delete all --all" in command:  # A race with the garbage collector, and with c2's every fifth minute.
        lines = [line for line in lines if not RACING.match(line)]
    if UNORDERED.search(command):
        lines = sorted(lines)
    return _own(lines, command, namespace) if WHOLE_CLUSTER.match(command) else lines


def _own(lines: list[str], command: str, namespace: str) -> list[str]:
    """Of a look at the whole cluster: what is the same in every cluster."""
    lines = [re.sub(r"\b\d{3}m$", "<age>", line) for line in lines]
    if "describe" in command:
        end = next((n for n, line in enumerate(lines) if line.startswith("Non-terminated Pods")), len(lines))
        return [line for line in lines[:end] if not EVENT.match(line) and not DESCRIBED.match(line)]
    wanted = ("NAME", namespace) if "pods -A" in command else ("NAME", "w-", f"{namespace} ", "default ", "kube-")
    lines = [line for line in lines if line.startswith(wanted)]
    return [re.sub("Active|Terminating", "<phase>", line) for line in lines] if "get ns" in command else lines


def differences(command: str, recorded: str, printed: str, namespace: str) -> list[str]:
    """Where the two differ. Events are a set: they are written behind the back of what they tell of."""
    theirs, ours = (lines_of(text, command, namespace) for text in (recorded, printed))
    missing, extra = _events(theirs) - _events(ours), _events(ours) - _events(theirs)
    found = [f"event missing: {line}" for line in missing] + [f"event too many: {line}" for line in extra]
    theirs, ours = ([line for line in lines if not EVENT.match(line)] for lines in (theirs, ours))
    for number in range(max(len(theirs), len(ours))):
        wanted = theirs[number] if number < len(theirs) else "(end)"
        got = ours[number] if number < len(ours) else "(end)"
        if wanted != got:
            found.append(f"line {number + 1} recorded: {wanted[:300]}\n      printed: {got[:300]}")
    return found


def _events(lines: list[str]) -> Counter[str]:
    return Counter({re.sub(r"^(<age>|<unknown>) ", "", line) for line in lines if EVENT.match(line)})
