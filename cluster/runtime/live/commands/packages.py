"""Package managers. Installing puts a package's programs into the container's own layer.

What Debian's images bring along is more than the real ones do (see roots.py), so that most packages are found to be
there already. As in the real images, apt-get knows no package before its first `update`.

Mirrors:  apt 3.0, apk-tools 2.14, dnf 4
Left out: versions, dependencies, removing programs again; pip and npm, which say so.
"""

from collections.abc import Callable

from cluster.runtime.live.commands.call import Call
from cluster.runtime.live.files import FileError

SECOND = 1_000_000
LISTS = "/var/lib/apt/lists/orrery"
PACKAGES: dict[str, tuple[str, ...]] = {
    "curl": ("curl",),
    "wget": ("wget",),
    "bash": ("bash",),
    "procps": ("ps", "top", "free", "watch", "pkill", "pgrep"),
    "procps-ng": ("ps", "top", "free", "watch"),
    "dnsutils": ("dig", "nslookup", "host"),
    "bind9-dnsutils": ("dig", "nslookup", "host"),
    "bind9-host": ("host",),
    "bind-tools": ("dig", "nslookup", "host"),
    "bind-utils": ("dig", "nslookup", "host"),
    "iputils-ping": ("ping",),
    "iputils": ("ping",),
    "inetutils-ping": ("ping",),
    "netcat-openbsd": ("nc",),
    "netcat-traditional": ("nc",),
    "netcat": ("nc",),
    "ncat": ("ncat", "nc"),
    "nmap-ncat": ("ncat",),
    "telnet": ("telnet",),
    "busybox-extras": ("telnet",),
    "redis-tools": ("redis-cli",),
    "redis": ("redis-cli",),
    "mysql-client": ("mysql", "mysqladmin"),
    "mariadb-client": ("mysql", "mysqladmin"),
    "default-mysql-client": ("mysql", "mysqladmin"),
    "postgresql-client": ("psql", "pg_isready"),
    "python3": ("python3",),
    "gawk": ("awk",),
    "coreutils": (),
    "ca-certificates": (),
    "git": (),
    "vim": (),
    "nano": (),
    "less": (),
    "jq": (),
    "net-tools": (),
    "iproute2": (),
    "tcpdump": (),
    "gnupg": (),
    "unzip": (),
    "openssl": (),
    "apt-transport-https": (),
    "software-properties-common": (),
    "lsb-release": (),
    "sudo": (),
    "tree": (),
    "htop": (),
    "bc": ("bc",),
    "xxd": ("xxd",),
    "tar": ("tar",),
    "gzip": ("gzip",),
    "diffutils": ("diff", "cmp"),
    "findutils": ("find",),
}


def _installed(call: Call, name: str) -> bool:
    """Are all programs of a package there? One that brings none is there when it was installed."""
    programs = PACKAGES[name] or (f"../share/doc/{name}",)
    return all(call.files.stat(f"/bin/{one}") or call.files.stat(call.path(f"/usr/bin/{one}")) for one in programs)


def _install(call: Call, name: str) -> None:
    for program in PACKAGES[name] or ("",):
        if not program:
            call.files.mkdir(f"/usr/share/doc/{name}", parents=True)
        elif call.files.stat(f"/bin/{program}") is None:
            call.files.write(f"/usr/bin/{program}", "", mode=0o755)


def apt(call: Call) -> int:
    words = [word for word in call.args if not word.startswith("-") and "=" not in word]
    action, names = (words[0], words[1:]) if words else ("", [])
    if action == "update":
        call.sleep(2 * SECOND)
        call.files.mkdir(LISTS, parents=True)
        call.out("Get:1 debian trixie InRelease [140 kB]\nGet:2 debian trixie/main Packages [9670 kB]\n")
        call.out("Reading package lists...\n")
        return 0
    if action not in ("install", "remove", "purge", "upgrade", "dist-upgrade", "clean", "autoremove", "autoclean"):
        return call.failed(f"Invalid operation {action}" if action else "no command was given", 100)
    if action != "install":
        call.out("Reading package lists...\nBuilding dependency tree...\n0 upgraded, 0 newly installed, 0 to remove.\n")
        return 0
    return _apt_install(call, names)


def _apt_install(call: Call, names: list[str]) -> int:
    if "new" not in call.local:
        call.out("Reading package lists...\nBuilding dependency tree...\nReading state information...\n")
    unknown = [name for name in names if name not in PACKAGES or call.files.stat(LISTS) is None]
    if unknown:
        call.err("".join(f"E: Unable to locate package {name}\n" for name in unknown))
        return 100
    new = call.local.setdefault("new", [name for name in names if not _installed(call, name)])
    call.sleep(3 * SECOND if new else SECOND // 10)
    for name in names:
        if name not in new:
            call.out(f"{name} is already the newest version.\n")
    if new:
        call.out(f"The following NEW packages will be installed:\n  {' '.join(new)}\n")
    call.out(f"0 upgraded, {len(new)} newly installed, 0 to remove and 0 not upgraded.\n")
    for name in new:
        call.out(f"Unpacking {name} ...\n")
        _install(call, name)
    call.out("".join(f"Setting up {name} ...\n" for name in new))
    return 0


def apk(call: Call) -> int:
    words = [word for word in call.args if not word.startswith("-")]
    action, names = (words[0], words[1:]) if words else ("", [])
    if action in ("update", "upgrade"):
        call.sleep(SECOND)
        call.out("OK: 25397 distinct packages available\n")
        return 0
    if action not in ("add", "del"):
        return call.failed(f"'{action}' is not an apk command. See 'apk --help'.")
    unknown = [name for name in names if name.partition("=")[0] not in PACKAGES]
    if unknown:
        call.err("ERROR: unable to select packages:\n")
        call.err("".join(f"  {name} (no such package):\n    required by: world[{name}]\n" for name in unknown))
        return len(unknown)
    call.sleep(2 * SECOND)
    for place, name in enumerate(names, 1):
        call.out(f"({place}/{len(names)}) {'Installing' if action == 'add' else 'Purging'} {name}\n")
        if action == "add":
            _install(call, name.partition("=")[0])
    call.out(f"OK: {12 + len(names)} MiB in {16 + len(names)} packages\n")
    return 0


def dnf(call: Call) -> int:
    """yum, dnf, microdnf."""
    words = [word for word in call.args if not word.startswith("-")]
    action, names = (words[0], words[1:]) if words else ("", [])
    if action != "install":
        call.out("Complete!\n")
        return 0
    unknown = [name for name in names if name not in PACKAGES]
    if unknown:
        call.err("".join(f"No match for argument: {name}\n" for name in unknown))
        call.err(f"Error: Unable to find a match: {' '.join(unknown)}\n")
        return 1
    call.sleep(4 * SECOND)
    for name in names:
        _install(call, name)
    call.out(f"Installed:\n{''.join(f'  {name}' for name in names)}\n\nComplete!\n")
    return 0


def no_index(call: Call) -> int:
    """pip, npm."""
    if {"--version", "-V", "-v"} & set(call.args):
        call.out("10.9.3\n" if call.name == "npm" else "pip 25.2 from /usr/local/lib/python3.13/site-packages/pip\n")
        return 0
    raise FileError("orrery: packages of Python and Node.js can't be installed here")


def editor(call: Call) -> int:
    """vi, vim, nano: a terminal without cursor keys has no editor."""
    return call.failed("orrery: there is no editor here; use `cat > FILE`, `sed -i`, or `kubectl cp`")


PACKAGING: dict[str, Callable[[Call], int]] = {
    "apt-get": apt,
    "apt": apt,
    "apk": apk,
    "yum": dnf,
    "dnf": dnf,
    "microdnf": dnf,
    "pip": no_index,
    "pip3": no_index,
    "npm": no_index,
    "vi": editor,
    "vim": editor,
    "nano": editor,
}
