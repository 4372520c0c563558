"""redis-cli: one command, the lines of the input, or a conversation.

Mirrors:  redis-cli 8
Left out: hints, history, --scan and other modes, subscriptions.
"""

import re

from cluster.runtime.live.commands.call import Call, number
from cluster.runtime.live.commands.connection import CONNECTED, REFUSED, SILENT, UNREACHABLE
from cluster.runtime.live.commands.dialogue import exchange, line, on_terminal
from cluster.runtime.live.servers.redis.replies import request

WHY = {REFUSED: "Connection refused", UNREACHABLE: "No route to host", SILENT: "Connection timed out"}
UNSAFE = "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.\n"
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')
MOST_LINES = 1_000


def redis_cli(call: Call) -> int:
    """redis-cli [-h HOST] [-p PORT] [-a PASSWORD] [-n DB] [--raw] [COMMAND …]"""
    local = call.local
    if "words" not in local:
        _options(call)
    settings, words = local["settings"], local["words"]
    if words:
        return _once(call, settings, words)
    if on_terminal(call):
        return _conversation(call, settings)
    if "lines" not in local:
        local["lines"] = [split(one) for one in call.read_all().split("\n") if one.strip()][:MOST_LINES]
    while local["lines"]:
        if code := _once(call, settings, local["lines"][0]):
            return code
        local["lines"].pop(0)
    return 0


def _options(call: Call) -> None:
    settings = {"h": "127.0.0.1", "p": "6379", "n": "0", "a": call.env.get("REDISCLI_AUTH", "")}
    args = list(call.args)
    while args and args[0].startswith("-"):
        word = args.pop(0)
        name = {"--pass": "-a", "--user": "-u"}.get(word, word)[1:]
        if word in ("--raw", "--no-raw", "--no-auth-warning", "--json"):
            settings[word] = "1"
        elif name in ("h", "p", "n", "a", "u", "r", "i", "t") and args:
            settings[name] = args.pop(0)
            if name == "a":
                settings["warn"] = "1"
        elif word in ("--version", "-v"):
            args = ["\0version"]
    if settings.get("warn") and "--no-auth-warning" not in settings:
        call.err(UNSAFE)
    call.local |= {"settings": settings, "words": args}


def split(text: str) -> list[str]:
    """
    >>> split('set a "b c"'), split("get 'x'")
    (['set', 'a', 'b c'], ['get', 'x'])
    """
    found = []
    for match in WORD.finditer(text):
        quoted = match[1] if match[1] is not None else match[2]
        plain = match[3] if quoted is None else re.sub(r"\\(.)", lambda one: {"n": "\n"}.get(one[1], one[1]), quoted)
        found.append(plain or "")
    return found


def _send(call: Call, settings: dict[str, str], commands: list[list[str]]) -> tuple[str, list[str]]:
    """(fate, the raw replies to these commands)."""
    before = [["AUTH", *([settings["u"]] if settings.get("u") else []), settings["a"]]] if settings["a"] else []
    before += [["SELECT", settings["n"]]] if settings["n"] != "0" else []
    data = "".join(request(*words) for words in (*before, *commands))
    reached = exchange(call, settings["h"], number(settings["p"], 6379), data)
    replies, rest = list[str](), reached.answer
    while rest:
        size = _length(rest)
        replies.append(rest[:size])
        rest = rest[size:]
    if before and replies and replies[0].startswith("-") and settings["a"]:
        call.err(f"AUTH failed: {replies[0][1:].strip()}\n")
    return reached.fate, replies[len(before) :]


def _length(text: str) -> int:
    """Of the first reply in a text."""
    end = text.find("\r\n")
    if end < 0:
        return len(text)
    kind, count = text[0], text[1:end]
    if kind == "$":
        return end + 2 if count.startswith("-") else end + 2 + int(count) + 2
    at = end + 2
    if kind == "*" and count.isdecimal():
        for _ in range(int(count)):
            at += _length(text[at:])
    return at


def _once(call: Call, settings: dict[str, str], words: list[str]) -> int:
    if words == ["\0version"]:
        call.out("redis-cli 8.2.1\n")
        return 0
    fate, replies = _send(call, settings, [words])
    if fate != CONNECTED:
        call.err(_unconnected(settings, fate))
        return 1
    shown = shown_raw if not on_terminal(call, 1) or "--raw" in settings else shown_typed
    shown = shown_typed if "--no-raw" in settings else shown
    for reply in replies:
        call.out(shown(reply))
    return 0


def _unconnected(settings: dict[str, str], fate: str) -> str:
    why = WHY.get(fate, "Name or service not known")
    return f"Could not connect to Redis at {settings['h']}:{settings['p']}: {why}\n"


def _conversation(call: Call, settings: dict[str, str]) -> int:
    local = call.local
    while True:
        if words := local.get("pending"):
            _typed(call, settings, words)
            local["pending"] = None
        typed = line(call, _prompt(call, settings))
        if typed is None or not typed:
            return 0
        words = split(typed)
        if words and words[0].lower() in ("exit", "quit"):
            return 0
        local["pending"] = words


def _prompt(call: Call, settings: dict[str, str]) -> str:
    if call.local.get("lost"):
        return "not connected> "
    database = f"[{settings['n']}]" if settings["n"] != "0" else ""
    return f"{settings['h']}:{settings['p']}{database}{'(TX)' if call.local.get('queue') is not None else ''}> "


def _typed(call: Call, settings: dict[str, str], words: list[str]) -> None:
    name, queue = words[0].upper(), call.local.get("queue")
    if name == "MULTI" and queue is None:
        call.local["queue"] = []
        call.out("OK\n")
        return
    if queue is not None and name == "DISCARD":
        call.local["queue"] = None
        call.out("OK\n")
        return
    if queue is not None and name != "EXEC":
        queue.append(words)
        call.out("QUEUED\n")
        return
    sent = [["MULTI"], *queue, words] if queue is not None else [words]
    fate, replies = _send(call, settings, sent)
    call.local |= {"queue": None, "lost": fate != CONNECTED}
    if fate != CONNECTED:
        call.err(_unconnected(settings, fate))
        return
    for reply in replies[-1:]:
        call.out(shown_typed(reply))
        if reply.startswith("+OK") and name == "SELECT":
            settings["n"] = words[1]
        if reply.startswith("+OK") and name == "AUTH":
            settings["a"] = words[-1]


def shown_raw(reply: str) -> str:
    """As redis-cli prints it when nobody watches: without types."""
    kind, rest = reply[:1], reply[1:]
    if kind == "$":
        size, _, text = rest.partition("\r\n")
        return "\n" if size == "-1" else text[: int(size)] + "\n"
    if kind == "*":
        head, _, items = rest.partition("\r\n")
        text = ""
        for _ in range(int(head) if head.isdecimal() else 0):
            size_ = _length(items)
            text += shown_raw(items[:size_])
            items = items[size_:]
        return text or "\n"
    return rest.replace("\r\n", "\n") + ("\n" if kind == "-" else "")


def shown_typed(reply: str, before: str = "") -> str:
    """As redis-cli shows it at a terminal."""
    kind, rest = reply[:1], reply[1:]
    head, _, body = rest.partition("\r\n")
    if kind == "$":
        if head == "-1":
            return "(nil)\n"
        text = body[: int(head)]
        if text.startswith("# ") and "\r\n" in text:  # INFO
            return text.replace("\r\n", "\n")
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"\n'
    if kind == ":":
        return f"(integer) {head}\n"
    if kind == "-":
        return f"(error) {head}\n"
    if kind == "*":
        count = int(head) if head.lstrip("-").isdecimal() else 0
        if count <= 0:
            return "(empty array)\n" if count == 0 else "(nil)\n"
        text, width = "", len(str(count))
        for n in range(1, count + 1):
            size = _length(body)
            mark = f"{n:>{width}}) "
            text += (before if n > 1 else "") + mark + shown_typed(body[:size], before + " " * len(mark))
            body = body[size:]
        return text
    return f"{head}\n"
