"""Commands about the machine and its processes: ps, kill, date, sleep, env, hostname, id, uname, df, free, top, …

Mirrors:  busybox 1.37: procps/, coreutils/
Left out: whatever the kernel of a real node would add: threads, devices, other namespaces.
"""

import re
from datetime import UTC, datetime, timedelta

from cluster.runtime.live.commands.call import Call, UsageError, become, duration, number
from cluster.runtime.live.files import BLOCK, CLAIM, DIRECTORY, MAX_BYTES, USUAL, FileError
from cluster.runtime.live.kernel import SIGNALS, Blocked, find_program, signal_number

FOREVER = 1 << 62
KERNEL = "6.12.41-orrery"


def sleep(call: Call) -> int:
    total = 0
    if not call.args:
        raise UsageError("missing operand")
    for text in call.args:
        if text in ("infinity", "inf"):
            total = FOREVER
            continue
        total += duration(text)
    call.sleep(min(total, FOREVER))
    return 0


def date(call: Call) -> int:
    options, words = call.options("uRI", "dDr", ("utc", "iso-8601", "date", "rfc-3339"))
    moment = call.date
    given = options.get("date", options.get("d"))
    if given is not None:
        found = _moment(given, moment)
        if found is None:
            return call.failed(f"invalid date '{given}'")
        moment = found
    pattern = next((word[1:] for word in words if word[:1] == "+"), "%a %b %e %H:%M:%S UTC %Y")
    if "R" in options:
        pattern = "%a, %d %b %Y %H:%M:%S +0000"
    if "I" in options or "iso-8601" in options:
        pattern = "%Y-%m-%dT%H:%M:%S+00:00" if options.get("iso-8601") == "seconds" else "%Y-%m-%d"
    values = {
        "s": str(int(moment.timestamp())), "e": f"{moment.day:2d}", "N": f"{moment.microsecond:06d}000", "Z": "UTC",
        "z": "+0000", "T": f"{moment:%H:%M:%S}", "F": f"{moment:%Y-%m-%d}", "R": f"{moment:%H:%M}", "n": "\n",
        "t": "\t", "%": "%", "D": f"{moment:%m/%d/%y}", "h": f"{moment:%b}", "c": f"{moment:%a %b %d %H:%M:%S %Y}",
    }  # fmt: skip

    def value(match: "re.Match[str]") -> str:
        letter = match[1]
        return values.get(letter) or (format(moment, f"%{letter}") if letter in "aAbBdHIjmMpSuUwWyY" else match[0])

    call.out(re.sub(r"%(.)", value, pattern) + "\n")
    return 0


SPANS = {"second": 1, "sec": 1, "minute": 60, "min": 60, "hour": 3600, "day": 86400, "week": 7 * 86400}
DAYS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S")
HOURS = ("%H:%M:%S", "%H:%M")


def _moment(text: str, now: datetime) -> datetime | None:
    """What `date -d` takes: `@seconds`, a calendar time, `yesterday`, `1 hour ago`, `+2 days`; None: nonsense."""
    text = text.strip().removesuffix(" UTC")
    try:
        if re.fullmatch(r"@-?\d{1,11}", text):
            return datetime.fromtimestamp(int(text[1:]), UTC)
        if text in ("", "now", "today", "yesterday", "tomorrow"):
            return now + timedelta(days={"yesterday": -1, "tomorrow": 1}.get(text, 0))
        span = re.fullmatch(r"(?:now )?([-+]? ?\d{1,9}) (second|sec|minute|min|hour|day|week)s?( ago)?", text)
        if span:
            sign = -1 if span[3] else 1
            return now + timedelta(seconds=sign * int(span[1].replace(" ", "")) * SPANS[span[2]])
        for form in (*DAYS, *HOURS):
            try:
                found = datetime.strptime(text, form).replace(tzinfo=UTC)
            except ValueError:
                continue
            return found if form in DAYS else datetime.combine(now.date(), found.timetz())
    except (OverflowError, ValueError, OSError):
        return None
    return None


def env(call: Call) -> int:
    """env, printenv. `env a=1 command` runs the command."""
    if call.name == "printenv" and call.args:
        known = [name for name in call.args if name in call.env]
        call.out("".join(f"{call.env[name]}\n" for name in known))
        return int(len(known) < len(call.args))
    words = [word for word in call.args if word not in ("-i", "-")]
    variables = {} if len(words) < len(call.args) else dict(call.env)
    while words and "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    if words:
        return become(call, words, variables)
    call.out("".join(f"{name}={value}\n" for name, value in variables.items()))
    return 0


def chroot(call: Call) -> int:
    """Go on as another program, or as a shell, that sees no more than what is in one directory."""
    if not call.args:
        raise UsageError("missing operand")
    path, words = call.path(call.args[0]), call.args[1:] or [call.env.get("SHELL", "/bin/sh"), "-i"]
    entry = call.files.stat(path)
    if entry is None or entry.kind != DIRECTORY:
        why = "No such file or directory" if entry is None else "Not a directory"
        return call.failed(f"can't change root directory to '{call.args[0]}': {why}")
    call.kernel.change_root(call.proc, call.files.resolve(path))
    return become(call, words, dict(call.env))


def processes(call: Call) -> list[tuple[int, list[str], int]]:
    """(pid, argv, began) of all that runs in the container, and this session's own."""
    found = [(pid, argv, call.kernel.container.process.started) for pid, argv in call.kernel.container.others.items()]
    found += [(p["pid"], p["argv"], p["began"]) for p in call.kernel.procs.values() if p["exit"] is None]
    return sorted(found)


def ps(call: Call) -> int:
    full = any(word.lstrip("-") in ("ef", "aux", "auxww", "elf") for word in call.args)
    if full and call.files.stat("/etc/debian_version") is not None:
        call.out("UID          PID    PPID  C STIME TTY          TIME CMD\n")
        for pid, argv, began in processes(call):
            when = f"{call.date_of(began):%H:%M}"
            call.out(f"{_owner(call):8s} {pid:7d}       0  0 {when} ?        00:00:00 {' '.join(argv)}\n")
        return 0
    call.out("PID   USER     TIME  COMMAND\n")
    for pid, argv, _ in processes(call):
        call.out(f"{pid:5d} {_owner(call):8s}  0:00 {' '.join(argv)}\n")
    return 0


def pidof(call: Call) -> int:
    """pidof, pgrep."""
    found = [
        pid for pid, argv, _ in processes(call)
        if pid != call.proc["pid"] and argv and any(word in (argv[0], argv[0].rpartition("/")[2]) for word in call.args)
    ]  # fmt: skip
    separator = " " if call.name == "pidof" else "\n"
    if found:
        call.out(separator.join(str(pid) for pid in found) + "\n")
    return int(not found)


def _signals(call: Call, words: list[str]) -> int:
    """`kill -l`: all names; a number's name, a name's number."""
    if not words:
        call.out("".join(f"{value:2d}) {name}\n" for name, value in SIGNALS.items() if value))
    names = {value: name for name, value in SIGNALS.items()}
    for word in words:
        found = names.get(int(word[:4]) & 127) if word.isdigit() else signal_number(word)
        if found is None:
            return call.failed(f"unknown signal '{word}'")
        call.out(f"{found}\n")
    return 0


def kill(call: Call) -> int:
    """kill, and killall or pkill by name."""
    signal, words = 15, list(call.args)
    if words[:1] == ["-l"]:
        return _signals(call, words[1:])
    while words and words[0][:1] == "-" and len(words[0]) > 1:
        option = words.pop(0)[1:]
        if option in ("s", "n") and words:
            option = words.pop(0)
        found = signal_number(option)
        if found is None:
            return call.failed(f"bad signal name '{option}'")
        signal = found
    if not words:
        raise UsageError("you need to specify whom to kill")
    for word in words:
        pids = [int(word)] if word.isdigit() and len(word) < 8 else []
        if call.name != "kill":
            pids = [pid for pid, argv, _ in processes(call) if argv and argv[0].rpartition("/")[2] == word]
        if not pids:
            call.failed(f"{word}: no process killed" if call.name != "kill" else f"invalid number '{word}'")
        for pid in pids:
            if not call.kernel.kill(pid, signal):
                call.failed(f"can't kill pid {pid}: No such process")
    return call.code


def hostname(call: Call) -> int:
    container = call.kernel.container
    if "-i" in call.args or "-I" in call.args:
        call.out(" ".join(container.addresses) + "\n")
    else:
        call.out(container.process.hostname + "\n")
    return 0


def identity(call: Call) -> int:
    """id, whoami."""
    user, group, *groups = call.kernel.container.process.user
    if user:
        return _somebody(call, user, group, groups)
    if call.name == "whoami" or ("-un" in call.args or {"-u", "-n"} <= set(call.args)):
        call.out("root\n")
    elif "-u" in call.args or "-g" in call.args:
        call.out("0\n")
    else:
        extra = " groups=0(root)" if call.files.stat("/etc/debian_version") else " groups=0(root),10(wheel)"
        call.out(f"uid=0(root) gid=0(root){extra}\n")
    return 0


def _somebody(call: Call, user: int, group: int, groups: list[int]) -> int:
    """Of a user that no file names."""
    letters = set("".join(word.removeprefix("-") for word in call.args))
    if call.name == "whoami" or ({"u", "n"} <= letters):
        return call.failed(f"unknown uid {user}" if call.name == "whoami" else f"unknown ID {user}")
    if letters & set("ugG"):
        call.out(f"{user if 'u' in letters else group if 'g' in letters else ' '.join(map(str, groups))}\n")
    else:
        shown = ",".join("0(root)" if one == 0 else str(one) for one in groups)
        call.out(f"uid={user} gid={group}{'(root)' if group == 0 else ''} groups={shown}\n")
    return 0


def _owner(call: Call) -> str:
    """Who runs the container's processes, as ps shows it."""
    return str(call.kernel.container.process.user[0] or "root")


def uname(call: Call) -> int:
    letters = "".join(word[1:] for word in call.args if word[:1] == "-") or "s"
    name = call.kernel.container.process.hostname
    values = {"s": "Linux", "n": name, "r": KERNEL, "v": "#1 SMP PREEMPT_DYNAMIC", "m": "x86_64", "o": "GNU/Linux"}
    wanted = "snrvmo" if "a" in letters else [one for one in "snrvmo" if one in letters]
    call.out(" ".join(values[one] for one in wanted) + "\n")
    return 0


def pwd(call: Call) -> int:
    call.out(call.proc["cwd"] + "\n")
    return 0


def which(call: Call) -> int:
    missing = 0
    for name in call.args:
        found = find_program(call.kernel, name, call.proc["cwd"])
        if isinstance(found, int):
            missing = 1
        else:
            place = next(
                (f"{d}/{name}" for d in ("/usr/sbin", "/usr/bin", "/bin") if call.files.stat(f"{d}/{name}")), ""
            )
            call.out(f"{name if '/' in name else place or f'/bin/{name}'}\n")
    return missing


def df(call: Call) -> int:
    human = any("h" in word for word in call.args if word[:1] == "-")
    total, left = (size // 1024 for size in call.files.space())
    left = max(left - call.files.grown * (BLOCK // 1024), 0)
    rows = [("overlay", total, total - left, "/"), ("tmpfs", 65536, 0, "/dev")]
    for mount in call.files.mounts:
        if mount.disk.startswith(CLAIM):
            rows.append((mount.source, USUAL // 1024, call.files.used(mount.disk) // 1024, mount.path))
        else:
            rows.append((mount.source, total, total - left if mount.disk else 8, mount.path))
    call.out(f"{'Filesystem':<20} {'Size' if human else '1K-blocks':>9}      Used Available Use% Mounted on\n")
    for name, size, used, path in rows:
        figures = [_human(n) if human else str(n) for n in (size, used, size - used)]
        call.out(f"{name:<20} {figures[0]:>9} {figures[1]:>9} {figures[2]:>9} {-(-used * 100 // size):3d}% {path}\n")
    return 0


def _human(kibibytes: int) -> str:
    for unit in ("K", "M", "G"):
        if kibibytes < 1024 or unit == "G":
            return f"{kibibytes:.1f}{unit}"
        kibibytes /= 1024  # type: ignore[assignment]
    return ""


def free(call: Call) -> int:
    letters = "".join(word[1:] for word in call.args)
    divisor = 1024 * 1024 if "m" in letters else 1 << 30 if "g" in letters else 1024
    total, used = (bytes_ // divisor for bytes_ in call.kernel.container.memory)
    call.out("              total        used        free      shared  buff/cache   available\n")
    call.out(f"Mem:    {total:11d} {used:11d} {total - used:11d}           0           0 {total - used:11d}\n")
    call.out("Swap:             0           0           0\n")
    return 0


def top(call: Call) -> int:
    """A screen every five seconds; `-n` says how many, without a terminal."""
    options, _ = call.options("bH", "nd")
    limit = number(options.get("n", "0"))
    interval = (number(options.get("d", "5"), 5) or 5) * 1_000_000
    due = call.local.get("due", call.now)
    if call.now >= due:
        total, used = (bytes_ // 1024 for bytes_ in call.kernel.container.memory)
        clear = "\x1b[H\x1b[J" if call.proc["fds"].get("1", [""])[0] == "tty" else ""
        rows = [f"{clear}Mem: {used}K used, {total - used}K free, 0K shrd, 0K buff, 0K cached"]
        rows += ["CPU:   1% usr   0% sys   0% nic  98% idle   0% io   0% irq   0% sirq"]
        rows += ["Load average: 0.10 0.08 0.05 1/80 " + str(call.proc["pid"])]
        rows += ["  PID  PPID USER     STAT   VSZ %VSZ CPU %CPU COMMAND"]
        rows += [
            f"{pid:5d}     0 root     S     4400   0%   0   0% {' '.join(argv)}" for pid, argv, _ in processes(call)
        ]
        call.out("".join(f"{row}\n" for row in rows))
        call.local["shown"] = call.local.get("shown", 0) + 1
        call.local["due"] = due = call.now + interval
    if limit and call.local["shown"] >= limit:
        return 0
    if call.proc["fds"].get("0", [""])[0] == "tty":
        data, over = call.kernel.peek(call.proc, 0)
        if data.strip()[:1] == "q" or over:
            call.kernel.consume(call.proc, 0, len(data))
            return 0
    raise Blocked("time", due)


def uptime(call: Call) -> int:
    seconds = (call.now - call.kernel.container.process.started) // 1_000_000
    hours, minutes = seconds // 3600, seconds // 60 % 60
    call.out(f" {call.date:%H:%M:%S} up {hours:2d}:{minutes:02d},  0 users,  load average: 0.10, 0.08, 0.05\n")
    return 0


def nproc(call: Call) -> int:
    call.out("4\n")
    return 0


def clear(call: Call) -> int:
    call.out("\x1b[H\x1b[J")
    return 0


def terminal(call: Call) -> int:
    """tty, stty size."""
    tty = call.kernel.state["tty"]
    if call.name == "tty":
        call.out("/dev/pts/0\n" if tty else "not a tty\n")
        return int(not tty)
    if tty and "size" in call.args:
        call.out(f"{tty['rows']} {tty['columns']}\n")
    return 0


def succeed(call: Call) -> int:
    """true, :, sync."""
    return 0


def fail(call: Call) -> int:
    return 1


def dd(call: Call) -> int:
    """if= of= bs= count=, with /dev/zero as a source."""
    given = dict(word.partition("=")[::2] for word in call.args)
    units = {"k": 1024, "K": 1024, "M": 1 << 20, "G": 1 << 30, "": 1}
    match = re.fullmatch(r"(\d{1,7})([kKMG]?)B?", given.get("bs", "512"))
    size = int(match[1]) * units[match[2]] if match else 512
    asked = size * number(given.get("count", "1"), 1)
    wanted = min(asked, MAX_BYTES * 2)
    source = given.get("if", "")
    if source == "/dev/zero" and "of" in given and asked > MAX_BYTES // 4:
        return _zeros(call, given["of"], size, asked)
    if source in ("/dev/zero", "/dev/urandom", "/dev/random"):
        data = "\0" * wanted
    else:
        data = (call.files.read(call.path(source)) if source else call.read_all())[
            : wanted if "count" in given else None
        ]
    if "of" in given:
        try:
            call.files.write(call.path(given["of"]), data)
        except FileError as error:
            return call.failed(f"{given['of']}: {error}")
    else:
        call.out(data)
    blocks = len(data) // size
    call.err(f"{blocks}+0 records in\n{blocks}+0 records out\n{len(data)} bytes copied\n")
    return 0


def _zeros(call: Call, target: str, size: int, asked: int) -> int:
    """A file of zeros, as many as there is room for."""
    path = call.path(target)
    room = call.files.left(asked)
    written = asked if room is None else min(asked, room)
    try:
        call.files.allocate(path, written)
    except FileError as error:
        return call.failed(f"{target}: {error}")
    if written < asked:
        call.failed(f"error writing '{target}': No space left on device")
    records = f"{written // size}+{int(written % size > 0)}"
    call.err(f"{asked // size if written == asked else written // size + 1}+0 records in\n{records} records out\n")
    call.err(f"{written} bytes copied\n")
    return call.code


def mount(call: Call) -> int:
    call.out("overlay on / type overlay (rw,relatime)\nproc on /proc type proc (rw,nosuid,nodev,noexec,relatime)\n")
    for one in call.files.mounts:
        call.out(
            f"{one.source} on {one.path} type {one.kind} ({'ro' if one.readonly or not one.disk else 'rw'},relatime)\n"
        )
    return 0


SYSTEM = {
    "sleep": sleep, "date": date, "env": env, "printenv": env,  "ps": ps,
    "pidof": pidof, "pgrep": pidof, "kill": kill, "killall": kill,
    "pkill": kill, "hostname": hostname, "id": identity, "whoami": identity, "uname": uname, "pwd": pwd,
    "which": which, "df": df, "free": free, "top": top, "uptime": uptime, "nproc": nproc, "clear": clear,
    "tty": terminal, "stty": terminal, "true": succeed, ":": succeed, "sync": succeed, "false": fail, "dd": dd,
    "mount": mount, "chroot": chroot,
}  # fmt: skip
