"""Load generators: programs that send requests, again and again, for as long as they run.

    load-generator --from=web              as the LoadGenerator `web` of its namespace says, from second to second
    load-generator --rps=50 --connections=10 URL
    hey -z 5m -c 10 -q 5 URL               -q is each connection's, so these are 50 a second
    fortio load -qps 50 -c 10 -t 5m URL    -qps 0 or max: as fast as answers come; -t 0: until it is told to end

A program says only what it wants to send (`demand`). What comes of it, cluster/flows/ finds out and writes into the
container's record; hey and fortio print that when they end.

Mirrors:  rakyll/hey 0.1.4, fortio 1.69, as far as one URL is asked for a time
Left out: bodies, headers, TLS; hey's -n without -q, whose end nobody can tell beforehand (it says so and ends);
          fortio's other commands.
"""

import re
from collections.abc import Iterator

from cluster.runtime import traffic
from cluster.runtime.programs.program import (
    MIB,
    MILLISECOND,
    SECOND,
    Demand,
    Exit,
    Line,
    Program,
    Response,
    ended,
)

UNITS = {"ms": MILLISECOND, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
METRICS_PORT = 8080
REQUESTS, DURATION = "http_client_requests_total", "http_client_request_duration_seconds"
QUANTILES = ("0.5", "0.9", "0.99")
MOST_CONNECTIONS, MOST_RATE = 10_000, 1_000_000
VALUED = {
    "hey": ("n", "c", "q", "z", "o", "m", "H", "t", "A", "d", "D", "T", "a", "x", "cpus", "host"),
    "fortio": ("qps", "c", "t", "n", "timeout", "p", "r", "H", "X", "method", "labels", "log-level"),
    "load-generator": ("from", "rps", "connections", "timeout", "method"),
}


def duration(text: str) -> int | None:
    """Microseconds of `1m30s`, `500ms`, `10s`; None: it is none.

    >>> duration("1m30s"), duration("500ms"), duration("soon")
    (90000000, 500000, None)
    """
    parts = re.findall(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h)", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(round(float(number) * UNITS[unit]) for number, unit in parts)


class Load(Program):
    cpu, memory, stop_time = 1, 14 * MIB, 20 * MILLISECOND

    @property
    def tool(self) -> str:
        """hey, fortio or load-generator."""
        name = self.process.argv[0].rpartition("/")[2] if self.process.argv else ""
        return name if name in VALUED else "load-generator"

    def _options(self) -> tuple[dict[str, str], list[str]]:
        """(options by name, other words). A flag without a value is on."""
        words, found, rest = list(self.process.argv[1:]), dict[str, str](), list[str]()
        while words:
            word = words.pop(0)
            name, equals, value = word.lstrip("-").partition("=")
            if not word.startswith("-"):
                rest.append(word)
            elif equals or name not in VALUED[self.tool]:
                found[name] = value
            else:
                found[name] = words.pop(0) if words else ""
        return found, rest

    def demand(self) -> Demand | None:
        options, words = self._options()
        url = words[-1] if words and words[-1] != "load" else ""
        if self.tool == "hey":
            each, connections = _number(options.get("q"), 0.0), _whole(options.get("c"), 50)
            limit = SECOND * _whole(options.get("t"), 20) or 3600 * SECOND
            return Demand(_url(url), min(each * connections, MOST_RATE), connections, limit, options.get("m", "GET"))
        if self.tool == "fortio":
            rate = 0.0 if options.get("qps") == "max" else _number(options.get("qps"), 8.0)
            limit = duration(options.get("timeout", "")) or 3 * SECOND
            return Demand(_url(url), min(rate, MOST_RATE), _whole(options.get("c"), 4), limit)
        if options.get("from"):
            return Demand("", of=options["from"])
        limit = duration(options.get("timeout", "")) or 10 * SECOND
        rate, connections = _number(options.get("rps"), 10.0), _whole(options.get("connections"), 10)
        return Demand(_url(url), min(rate, MOST_RATE), connections, limit, options.get("method", "GET"))

    def ports(self) -> tuple[int, ...]:
        """Where it tells how it does."""
        return (METRICS_PORT,) if self.tool == "load-generator" else ()

    def respond(self, at: int, method: str, target: str) -> Response:
        """/metrics."""
        if target.partition("?")[0] != "/metrics":
            return Response(404, "404 page not found\n")
        lines = [f"# TYPE {REQUESTS} counter"]
        for outcome, number in sorted(traffic.outcomes_until(self.flow, at).items()):
            lines.append(f'{REQUESTS}{{code="{outcome}"}} {number // traffic.MILLI}')
        lines.append(f"# TYPE {DURATION} summary")
        latency = traffic.piece_at(self.flow, at).get("latency") or ()
        for part, lasts in zip(QUANTILES, latency[1:], strict=False):
            lines.append(f'{DURATION}{{quantile="{part}"}} {lasts / SECOND:g}')
        return Response(200, "".join(f"{line}\n" for line in lines), "text/plain; version=0.0.4; charset=utf-8")

    @property
    def _until(self) -> int | None:
        """When it has sent all; None: never."""
        options, _ = self._options()
        started = self.process.started
        if self.tool == "hey":
            lasts = duration(options.get("z", ""))
            each, connections = _number(options.get("q"), 0.0), _whole(options.get("c"), 50)
            if lasts is None and each:
                lasts = round(_number(options.get("n"), 200.0) / (each * connections) * SECOND)
            return started + lasts if lasts is not None else None
        if self.tool == "fortio":
            given = options.get("t", "5s")
            return None if given in ("0", "0s") else started + (duration(given) or 5 * SECOND)
        return None

    @property
    def _complaint(self) -> str:
        """Why it does not even begin; empty: it does."""
        demand = self.demand()
        if demand is None or not (demand.url or demand.of):
            return f"{self.tool}: no URL given"
        if self.tool == "hey" and self._until is None:
            return "hey: how long -n takes without -q is not modelled here; say -z 1m, or -q"
        return ""

    def exit(self) -> Exit | None:
        if self._complaint:
            return ended(self.process.started + 5 * MILLISECOND, 1)
        until = self._until
        return super().exit() or (ended(until, 0) if until is not None else None)

    def at_start(self) -> list[Line]:
        if self._complaint:
            return [self.printed(2 * MILLISECOND, self._complaint, "stderr")]
        demand = self.demand()
        if self.tool == "hey" or demand is None:
            return []
        if demand.of:
            return [self.printed(8 * MILLISECOND, f"watching loadgenerators/{demand.of}")]
        rate = f"{demand.rate:g} queries per second" if demand.rate else "max queries per second"
        return [self.printed(8 * MILLISECOND, f"Sending {rate} over {demand.connections} connections to {demand.url}")]

    def lines(self, start: int, end: int) -> Iterator[Line]:
        """Its first words, and a report when it has sent all, or is told to end."""
        yield from super().lines(start, end)
        ends = [at for at in (self._until, self.process.stopped) if at is not None]
        if not ends or self._complaint or self.tool == "load-generator" or not start <= min(ends) < end:
            return
        report = _hey if self.tool == "hey" else _fortio
        yield from (Line(min(ends), "stdout", text) for text in report(self.flow, self.process.started, min(ends)))


class Operator(Program):
    """Looks after LoadGenerators: what it does is addons/traffic/operator.py's business."""

    cpu, memory, stop_time = 1, 18 * MIB, 20 * MILLISECOND

    def at_start(self) -> list[Line]:
        said = ("Starting manager", "Starting Controller", "Starting workers")
        stamps = [(self.process.started + (30 + 8 * n) * MILLISECOND, text) for n, text in enumerate(said)]
        return [self.klog(at, "controller.go:178", text) for at, text in stamps]


def _hey(flow: traffic.Flow, begun: int, ends: int) -> list[str]:
    sums, piece = traffic.outcomes_until(flow, ends), traffic.piece_at(flow, ends)
    seconds, codes = max((ends - begun) / SECOND, 0.001), {key: n for key, n in sums.items() if key.isdecimal()}
    total = sum(sums.values()) / traffic.MILLI
    text = ["", "Summary:", f"  Total:\t{seconds:.4f} secs", f"  Requests/sec:\t{total / seconds:.4f}", ""]
    if latency := piece.get("latency"):
        text += ["Latency distribution:"]
        shown = zip((50, 90, 99), latency[1:], strict=True)
        text += [f"  {part}%% in {at / SECOND:.4f} secs" for part, at in shown]
    text += ["", "Status code distribution:"]
    text += [f"  [{code}]\t{n // traffic.MILLI} responses" for code, n in sorted(codes.items())]
    others = sorted((n, key) for key, n in sums.items() if key not in codes)
    if others:
        text += ["", "Error distribution:", *(f"  [{n // traffic.MILLI}]\t{key}" for n, key in reversed(others))]
    return text


def _fortio(flow: traffic.Flow, begun: int, ends: int) -> list[str]:
    sums, piece = traffic.outcomes_until(flow, ends), traffic.piece_at(flow, ends)
    seconds, total = max((ends - begun) / SECOND, 0.001), sum(sums.values()) / traffic.MILLI
    shown = zip((50, 90, 99), (piece.get("latency") or ())[1:], strict=False)
    text = [f"# target {part}% {at / SECOND:.6g}" for part, at in shown]
    for code, number in sorted(sums.items()):
        code = code if code.isdecimal() else f"-1 ({code})"
        part = number / traffic.MILLI / max(total, 1) * 100
        text.append(f"Code {code:>3} : {number // traffic.MILLI} ({part:.1f} %)")
    return [*text, f"All done {total:.0f} calls, {total / seconds:.1f} qps"]


def _url(text: str) -> str:
    return text if "://" in text or not text else f"http://{text}"


def _number(text: str | None, default: float) -> float:
    return float(text) if text and re.fullmatch(r"\d{1,9}(\.\d{1,6})?", text) else default


def _whole(text: str | None, default: int) -> int:
    return min(max(int(_number(text, default)), 1), MOST_CONNECTIONS)
