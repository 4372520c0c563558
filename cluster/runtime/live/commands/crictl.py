"""crictl, where a shell sees the whole machine: it asks the machine's container runtime through its socket.

Read next: runtime/crictl.py, which answers.
"""

from cluster.objects import times
from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.kernel import Blocked

FOLLOWS = ("-f", "--follow")
EVERY = 1_000_000  # Microseconds between looks at a log that is followed.
DIAL = 'dial unix /run/containerd/containerd.sock: connect: no such file or directory"'


def crictl(call: Call) -> int:
    ask = call.kernel.container.crictl
    if ask is None:
        return call.failed(f"validate service connection: rpc error: code = Unavailable desc = {DIAL}")
    follows = "logs" in call.args and any(word in FOLLOWS for word in call.args)
    words = list(call.args)
    if "since" in call.local:  # Only what is new.
        words = [*words, "--tail=-1", "--since", call.local["since"]]
    if follows and call.now < call.local.get("next", 0):
        raise Blocked("time", call.local["next"])
    code, out, err = ask(words)
    call.out(out)
    call.err(err)
    if not follows or code:
        return code
    stamp = times.rfc3339_micro(call.kernel.container.process.epoch + call.now)
    call.local.update(since=stamp, next=call.now + EVERY)
    raise Blocked("time", call.local["next"])


CRICTL = {"crictl": crictl}
