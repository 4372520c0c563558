"""The root file systems of images: what `ls /` shows, and the few files that lessons read.

Programs stand as empty executable files: their names are what matters, since they are played by commands/.

Mirrors:  busybox, debian and the official images of nginx and redis
Left out: everything nobody looks at.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

from cluster.runtime.images import CALLED, CLIENTS, Image, resolve
from cluster.runtime.live.commands import COMMANDS
from cluster.runtime.live.files import DIRECTORY, FILE, LINK, Entry
from cluster.runtime.live.kernel import SHELLS

DIRECTORIES = (
    "bin",
    "dev",
    "etc",
    "home",
    "proc",
    "root",
    "sys",
    "tmp",
    "usr",
    "usr/bin",
    "usr/sbin",
    "var",
    "var/log",
)
DEBIAN_DIRECTORIES = ("boot", "media", "mnt", "opt", "run", "sbin", "srv", "usr/local", "usr/local/bin", "usr/share")
SMALL = ("/busybox", "/alpine", "/library/bash")
NO_FILES = ("pause", "hello-world")  # Nothing but their own program is in them.
NOT_SMALL = ("bash", "dash", "curl", "dig", "host", "ncat")  # What images made of busybox don't have.
RULES = ("iptables-save", "ipvsadm", "nft")  # They show a machine's packet rules.
ON_MACHINES = ("crictl", *RULES)
ONLY_IN: dict[str, set[str]] = {"nginx": {"nginx"}, "crictl": set()} | {name: {"kube-proxy"} for name in RULES}
_OWNERS = [(name, one) for table in (CALLED, CLIENTS) for one, names in table.items() for name in names]
ONLY_IN |= {name: {one for other, one in _OWNERS if other == name} for name, _ in _OWNERS}
DISTRIBUTION = {"apk": "alpine", "apt": "debian", "apt-get": "debian"}  # Who has what package manager.
DISTRIBUTION |= dict.fromkeys(("yum", "dnf", "microdnf"), "none") | dict.fromkeys(("pip", "pip3"), "python")
DISTRIBUTION |= {"npm": "node"}
OLD_MONGO = re.compile(r":[345](\.|-|$)")  # MongoDB's tags with the shell that is called mongo.
RENAMED = re.compile(r":(1[1-9]|[2-9]\d|latest|lts)")  # MariaDB's tags without clients that are called mysql….
DATA = {  # Where servers keep their data.
    "mysql": ("/var/lib", "/var/lib/mysql"), "mariadb": ("/var/lib", "/var/lib/mysql"),
    "postgres": ("/var/lib", "/var/lib/postgresql"), "redis": ("/data",),
    "mongo": ("/data", "/data/db", "/data/configdb"),
}  # fmt: skip
WELCOME = """<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
<style>
html { color-scheme: light dark; }
body { width: 35em; margin: 0 auto;
font-family: Tahoma, Verdana, Arial, sans-serif; }
</style>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, nginx is successfully installed and working.
This one is simulated by Orrery; nothing runs here.</p>

<p><em>Thank you for using nginx.</em></p>
</body>
</html>
"""
SITE = """server {
    listen       80;
    listen  [::]:80;
    server_name  localhost;

    location / {
        root   /usr/share/nginx/html;
        index  index.html index.htm;
    }

    error_page   500 502 503 504  /50x.html;
    location = /50x.html {
        root   /usr/share/nginx/html;
    }
}
"""
NODE_RELEASE = """PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
"""
KUBELET = """apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
clusterDNS:
- 10.96.0.10
clusterDomain: cluster.local
shutdownGracePeriod: 30s
shutdownGracePeriodCriticalPods: 10s
staticPodPath: /etc/kubernetes/manifests
"""
NGINX = """user  nginx;
worker_processes  auto;

error_log  /var/log/nginx/error.log notice;
pid        /run/nginx.pid;

events {
    worker_connections  1024;
}

http {
    include       /etc/nginx/mime.types;
    default_type  application/octet-stream;
    access_log  /var/log/nginx/access.log  main;
    sendfile        on;
    keepalive_timeout  65;
    include /etc/nginx/conf.d/*.conf;
}
"""


@lru_cache(maxsize=256)
def root_of(image: Image) -> Mapping[str, Entry]:
    """Absolute path -> entry."""
    small = image.repository.endswith(SMALL)
    found = {f"/{name}": Entry(DIRECTORY, 0o1777 if name == "tmp" else 0o755, 0) for name in DIRECTORIES}
    files = {
        "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
        "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
        "/etc/shells": "/bin/sh\n",
    }
    if not small:
        found |= {f"/{name}": Entry(DIRECTORY, 0o755, 0) for name in DEBIAN_DIRECTORIES}
        files["/etc/debian_version"] = "13.1\n"
        files["/etc/os-release"] = (
            'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\nVERSION_ID="13"\nID=debian\n'
        )
    elif image.repository.endswith("alpine"):
        files["/etc/alpine-release"] = "3.22.1\n"
        files["/etc/os-release"] = (
            'NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.22.1\nPRETTY_NAME="Alpine Linux v3.22"\n'
        )
    if image.program == "nginx" and image.repository.endswith("nginx"):
        for name in ("/etc/nginx", "/etc/nginx/conf.d", "/usr/share/nginx", "/usr/share/nginx/html", "/var/log/nginx"):
            found[name] = Entry(DIRECTORY, 0o755, 0)
        files |= {
            "/usr/share/nginx/html/index.html": WELCOME,
            "/usr/share/nginx/html/50x.html": "<html><body><h1>An error occurred.</h1></body></html>\n",
            "/etc/nginx/conf.d/default.conf": SITE,
            "/etc/nginx/nginx.conf": NGINX,
            "/etc/nginx/mime.types": "types {\n    text/html  html htm shtml;\n}\n",
        }
        found["/var/log/nginx/access.log"] = Entry(LINK, 0o777, 0, "/dev/stdout")
        found["/var/log/nginx/error.log"] = Entry(LINK, 0o777, 0, "/dev/stderr")
    if image.program in ("mysql", "mariadb", "postgres", "mongo"):
        found["/docker-entrypoint-initdb.d"] = Entry(DIRECTORY, 0o755, 0)
    for name in DATA.get(image.program, ()):
        found[name] = Entry(DIRECTORY, 0o755, 0)
    found |= {path: Entry(FILE, 0o644, 0, content) for path, content in files.items()}
    if image.program not in NO_FILES:
        kinds = (image.program, "alpine" if image.repository.endswith("alpine") else "" if small else "debian")
        for name in (*SHELLS, *COMMANDS):
            if name in DISTRIBUTION and DISTRIBUTION[name] not in kinds:
                continue
            if name in ONLY_IN and image.program not in ONLY_IN[name]:
                continue
            if name == "mongo" and not OLD_MONGO.search(image.name):
                continue
            if image.program == "mariadb" and name.startswith("mysql") and RENAMED.search(image.name):
                continue
            if name != ":" and not (small and name in NOT_SMALL and not image.repository.endswith(f"/{name}")):
                found[f"/bin/{name}"] = Entry(FILE, 0o755, 0)
                if not small:
                    found[f"/usr/bin/{name}"] = Entry(FILE, 0o755, 0)
    for name in image.command[:1] if f"/bin/{image.command[0] if image.command else ''}" not in found else ():
        path = name if name.startswith("/") else f"/usr/sbin/{name}"
        found.setdefault(path, Entry(FILE, 0o755, 0))
    for name in ("null", "zero", "random", "urandom", "stdin", "stdout", "stderr", "tty"):
        found[f"/dev/{name}"] = Entry(FILE, 0o666, 0)
    return found


@lru_cache(maxsize=1024)
def root_of_machine(name: str) -> Mapping[str, Entry]:
    """The disk of a machine under a node, before anybody wrote on it."""
    found = dict(root_of(resolve("debian:12")))
    directories = ("/etc/kubernetes", "/etc/kubernetes/manifests", "/var/lib", "/var/lib/kubelet", "/var/log/pods")
    found |= {path: Entry(DIRECTORY, 0o755, 0) for path in directories}
    files = {
        "/etc/hostname": f"{name}\n",
        "/etc/hosts": f"127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n",
        "/etc/os-release": NODE_RELEASE,
        "/etc/debian_version": "12.12\n",
        "/var/lib/kubelet/config.yaml": KUBELET,
    }
    found |= {f"/usr/bin/{tool}": Entry(FILE, 0o755, 0) for tool in ON_MACHINES}
    return found | {path: Entry(FILE, 0o644, 0, content) for path, content in files.items()}
