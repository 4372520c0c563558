"""Calls that take time: how a component talks to something outside the cluster that may be slow, or refuse.

A step never waits. It begins a call and ends; the call is a cell and a timer, and when the timer runs out the answer is
there. Between the two the item is busy: what happens to it meanwhile is looked at afterwards, as every work queue does.

    look(item) ── ask ──▶ a call under way ── its time ──▶ answered(item, call, result) ── ask again, or done
                                                       └─▶ refused(item, call, why)     ── by default: again later

Each component has so many workers, as its flag says in real life; an item that finds none free waits for its turn. So
one slow call holds up everybody behind it, and that can be seen.

Read next: cluster/cloud/provider.py, which answers; cluster/cloud/service.py, which asks.
"""

from typing import Any

from cluster.engine.controller import Component, Surroundings
from cluster.engine.provider import Call, Provider, Refused
from cluster.objects.errors import ApiError

ANSWER = "call|"  # Before an item's name: the answer to its call is due.


class Caller(Component):
    """A component whose items need calls. Subclasses have `look`, `answered`, and perhaps `refused`.

    Queue keys: items, and `call|<item>`. Memory: `call/<item>` its call under way, `again/<item>` something happened to
    it meanwhile, `busy` how many calls are under way, `waiting` [item, …] for a worker.
    """

    role = "cloud"
    workers = 1

    def __init__(self, around: Surroundings, name: str = "", user: str = "") -> None:
        assert around.cloud is not None, "there is nobody to call"
        self.provider: Provider = around.cloud
        super().__init__(around, name, user)

    def look(self, item: str) -> None:
        """See what `item` needs; `ask` if that takes a call."""
        raise NotImplementedError

    def answered(self, item: str, call: Call, result: Any) -> None:
        """The call went well. What has to be done next may be another call."""

    def refused(self, item: str, call: Call, why: str) -> None:
        """The call did not go well."""
        self.retry(item)

    def retry(self, item: str) -> None:
        self.queue.add_rate_limited(item)

    def failed(self, key: str, error: ApiError) -> None:
        self.retry(key)

    def ask(self, item: str, operation: str, arguments: dict[str, Any], count: int = 1) -> None:
        """Begin a call. `count`: as how many it is counted, when it stands for one each of many nodes."""
        call, latency = self.provider.send(operation, arguments, count)
        if f"call/{item}" not in self.memory:
            self.memory["busy"] = self.memory.get("busy", 0) + 1
        self.memory[f"call/{item}"] = list(call)
        self.queue.add_after(ANSWER + item, latency)

    def is_busy(self, item: str) -> bool:
        return f"call/{item}" in self.memory

    def step(self, key: str) -> None:
        """One item, or the answer it waited for, with the back-off around it."""
        item, before = key.removeprefix(ANSWER), self.queue.attempts(key.removeprefix(ANSWER))
        try:
            self.process(key)
        except ApiError as error:
            self.failed(item, error)
        if key.startswith(ANSWER):
            self._done(item)
        self._take_next()
        waits = self.is_busy(item) or item in self.memory.get("waiting", ())
        if before and not waits and self.queue.attempts(item) == before:
            self.queue.forget(item)

    def process(self, key: str) -> None:
        if key.startswith(ANSWER):
            self._hear(key.removeprefix(ANSWER))
        elif self.is_busy(key):
            self.memory[f"again/{key}"] = True
        elif self.memory.get("busy", 0) >= self.workers:
            waiting = self.memory.get("waiting", [])
            if key not in waiting:
                self.memory["waiting"] = [*waiting, key]
        else:
            self.look(key)

    def _hear(self, item: str) -> None:
        call = Call(*self.memory[f"call/{item}"])
        try:
            result = self.provider.answer(call, self.name)
        except Refused as refusal:
            self.refused(item, call, str(refusal))
        else:
            self.answered(item, call, result)

    def _done(self, item: str) -> None:
        """Its call is over. If it asked no other, the worker is free."""
        if self.queue.timer(ANSWER + item) is not None:
            return
        self.memory.pop(f"call/{item}")
        busy = self.memory.get("busy", 1) - 1
        self.memory["busy"] = busy
        if self.memory.pop(f"again/{item}"):
            self.queue.add(item)

    def _take_next(self) -> None:
        """A worker is free, be it that an item needed no call at all: it takes who waits longest."""
        waiting = self.memory.get("waiting", [])
        if waiting and self.memory.get("busy", 0) < self.workers:
            self.memory["waiting"] = waiting[1:]
            self.queue.add(waiting[0])
