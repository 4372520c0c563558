"""Images: a catalogue of real names, each with the program it contains, its size and its digest.

    nginx            -> docker.io/library/nginx:latest
    bitnami/redis:8  -> docker.io/bitnami/redis:8

An image that is not in the catalogue can be pulled all the same and runs the generic server, which says so in
its log. A *known* image with a tag that nobody would publish (`nginx:bad`) can't be pulled: so ErrImagePull
can be taught.

Mirrors:  github.com/distribution/reference (ParseNormalizedNamed), containerd's errors
Left out: layers shared between images, private registries and their secrets, platforms.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, sha256

from cluster.runtime import noise

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Known:
    """A catalogue entry. `size`: compressed bytes. `command`: what runs when the pod names nothing.

    `entrypoint`: the image has one, so what a pod gives as `args` comes behind the first word of `command`.
    """

    program: str
    size: int
    command: tuple[str, ...] = ()
    entrypoint: bool = False


CATALOGUE: dict[str, Known] = {
    "docker.io/library/nginx": Known("nginx", 72 * MB, ("nginx", "-g", "daemon off;")),
    "docker.io/library/httpd": Known("httpd", 58 * MB, ("httpd-foreground",)),
    "docker.io/library/redis": Known("redis", 45 * MB, ("redis-server",)),
    "us-docker.pkg.dev/google-samples/containers/gke/gb-redis-follower": Known(
        "redis", 36 * MB, ("redis-server", "--replicaof", "redis-leader", "6379")
    ),
    "us-docker.pkg.dev/google-samples/containers/gke/gb-frontend": Known(
        "gb-frontend", 168 * MB, ("apache2-foreground",)
    ),
    "gcr.io/google_samples/gb-frontend": Known("gb-frontend", 168 * MB, ("apache2-foreground",)),
    "gcr.io/google-samples/gb-frontend": Known("gb-frontend", 168 * MB, ("apache2-foreground",)),
    "docker.io/library/wordpress": Known("wordpress", 230 * MB, ("apache2-foreground",)),
    "gcr.io/google-samples/gb-redis-follower": Known(
        "redis", 36 * MB, ("redis-server", "--replicaof", "redis-leader", "6379")
    ),
    "gcr.io/google_samples/gb-redis-follower": Known(
        "redis", 36 * MB, ("redis-server", "--replicaof", "redis-leader", "6379")
    ),
    "docker.io/library/busybox": Known("busybox", 2_156_519, ("sh",)),
    "docker.io/library/alpine": Known("busybox", 3_800_000, ("/bin/sh",)),
    "docker.io/library/debian": Known("busybox", 49 * MB, ("bash",)),
    "docker.io/library/ubuntu": Known("busybox", 30 * MB, ("/bin/bash",)),
    "docker.io/library/bash": Known("busybox", 6 * MB, ("bash",)),
    "docker.io/library/postgres": Known("postgres", 152 * MB, ("postgres",)),
    "docker.io/library/mysql": Known("mysql", 240 * MB, ("mysqld",)),
    "docker.io/library/mariadb": Known("mariadb", 115 * MB, ("mariadbd",)),
    "docker.io/library/mongo": Known("mongo", 290 * MB, ("mongod",)),
    "docker.io/library/mongo-express": Known("mongo-express", 60 * MB, ("mongo-express",)),
    "docker.io/library/memcached": Known("generic", 34 * MB, ("memcached",)),
    "docker.io/library/python": Known("python", 385 * MB, ("python3",)),
    "docker.io/library/node": Known("node", 404 * MB, ("node",)),
    "docker.io/library/perl": Known("perl", 349 * MB, ("perl",)),
    "docker.io/library/hello-world": Known("hello-world", 3_500, ("/hello",)),
    "docker.io/orrery/chatty": Known("chatty", 4 * MB, ("chatty",)),
    "docker.io/orrery/crasher": Known("crasher", 4 * MB, ("crasher",)),
    "docker.io/orrery/leaker": Known("leaker", 4 * MB, ("leaker",)),
    "docker.io/orrery/slow-starter": Known("slow-starter", 4 * MB, ("slow-starter",)),
    "docker.io/orrery/flaky": Known("flaky", 4 * MB, ("flaky",)),
    "docker.io/orrery/cpu-burner": Known("cpu-burner", 4 * MB, ("cpu-burner",)),
    "docker.io/polinux/stress": Known("stress", 4 * MB, ("stress",)),
    "docker.io/progrium/stress": Known("stress", 58 * MB, ("stress",), True),
    "docker.io/vish/stress": Known("stress", 2 * MB, ("/stress",), True),
    "docker.io/alexeiled/stress-ng": Known("stress", 7 * MB, ("/stress-ng",), True),
    "docker.io/colinianking/stress-ng": Known("stress", 9 * MB, ("stress-ng",), True),
    "docker.io/alpine/curl": Known("busybox", 9 * MB, ("curl", "--help"), True),
    "docker.io/library/php": Known("php", 178 * MB, ("apache2-foreground",)),
    "gcr.io/google-samples/node-hello": Known("node-hello", 282 * MB, ("node", "server.js")),
    "docker.io/hashicorp/http-echo": Known("http-echo", 3 * MB, ("/http-echo",), True),
    "docker.io/traefik/whoami": Known("whoami", 3 * MB, ("/whoami",), True),
    "docker.io/containous/whoami": Known("whoami", 3 * MB, ("/whoami",), True),
    "docker.io/kicbase/echo-server": Known("echo", 5 * MB, ("/bin/echo-server",)),
    "docker.io/ealen/echo-server": Known("echo", 35 * MB, ("node", "webserver")),
    "registry.k8s.io/echoserver": Known("echo", 47 * MB, ("/usr/sbin/nginx",)),
    "registry.k8s.io/hpa-example": Known("hpa-example", 176 * MB, ("apache2-foreground",)),
    "registry.k8s.io/liveness": Known("agnhost", 2 * MB, ("/agnhost", "liveness"), True),
    "gcr.io/google-samples/kubernetes-bootcamp": Known("bootcamp", 84 * MB, ("node", "server.js")),
    "docker.io/jocatalin/kubernetes-bootcamp": Known("bootcamp", 84 * MB, ("node", "server.js")),
    "gcr.io/google-samples/hello-app": Known("hello-app", 5 * MB, ("./hello-app",)),
    "us-docker.pkg.dev/google-samples/containers/gke/hello-app": Known("hello-app", 5 * MB, ("./hello-app",)),
    "registry.k8s.io/pause": Known("pause", 320_368, ("/pause",)),
    "registry.k8s.io/kube-proxy": Known("kube-proxy", 33 * MB, ("/usr/local/bin/kube-proxy",)),
    "ghcr.io/flannel-io/flannel": Known("flannel", 33 * MB, ("/opt/bin/flanneld",)),
    "registry.k8s.io/coredns/coredns": Known("coredns", 21 * MB, ("/coredns",), True),
    "registry.k8s.io/e2e-test-images/jessie-dnsutils": Known("busybox", 118 * MB, ("sleep", "infinity")),
    "docker.io/tutum/dnsutils": Known("busybox", 90 * MB, ("bash",)),
    "docker.io/curlimages/curl": Known("busybox", 9 * MB, ("curl", "--help")),
    "docker.io/radial/busyboxplus": Known("busybox", 5 * MB, ("sh",)),
    "docker.io/nicolaka/netshoot": Known("busybox", 200 * MB, ("zsh",)),
    "quay.io/prometheus/prometheus": Known("prometheus", 122 * MB, ("/bin/prometheus",), True),
    "docker.io/prom/prometheus": Known("prometheus", 122 * MB, ("/bin/prometheus",), True),
    "registry.k8s.io/kube-state-metrics/kube-state-metrics": Known(
        "kube-state-metrics", 16 * MB, ("/kube-state-metrics",), True
    ),
    "registry.k8s.io/metrics-server/metrics-server": Known("metrics-server", 22 * MB, ("/metrics-server",), True),
    "docker.io/kubernetesui/dashboard": Known("dashboard", 75 * MB, ("/dashboard",), True),
    "docker.io/fluent/fluent-bit": Known("fluent-bit", 35 * MB, ("/fluent-bit/bin/fluent-bit",), True),
    "docker.io/grafana/loki": Known("loki", 39 * MB, ("/usr/bin/loki",), True),
    "registry.k8s.io/e2e-test-images/agnhost": Known("agnhost", 54 * MB, ("/agnhost", "pause"), True),
    "docker.io/orrery/load-generator": Known("load", 6 * MB, ("/load-generator",), True),
    "docker.io/orrery/load-operator": Known("load-operator", 12 * MB, ("/load-operator",), True),
    "docker.io/fortio/fortio": Known("load", 12 * MB, ("/usr/bin/fortio",), True),
    "docker.io/williamyeh/hey": Known("load", 5 * MB, ("/hey",), True),
    "docker.io/rakyll/hey": Known("load", 5 * MB, ("/hey",), True),
}

CALLED = {  # By what other names.
    "python": ("python", "python3"),
    "node": ("node", "nodejs"),
    "stress": ("stress", "stress-ng"),
}
CLIENTS = {  # In the images of their servers.
    "redis": ("redis-cli",),
    "mysql": ("mysql", "mysqladmin", "mysqldump"),
    "mariadb": ("mariadb", "mariadb-admin", "mariadb-dump", "mysql", "mysqladmin", "mysqldump"),
    "mongo": ("mongosh", "mongo"),
    "postgres": ("psql", "pg_isready", "pg_dump", "createdb", "dropdb"),
}

MIRRORS = ("mirror.gcr.io/library/", "public.ecr.aws/docker/library/", "quay.io/quay/", "gcr.io/google-containers/")
COPIED = ("busybox", "nginx", "redis")  # Of Docker Hub's, which registry.k8s.io has, too.
CATALOGUE |= {f"registry.k8s.io/{name}": CATALOGUE[f"docker.io/library/{name}"] for name in COPIED}

PUBLISHED_TAG = re.compile(r"latest|stable|mainline|edge|alpine|slim|musl|glibc|uclibc|bookworm|trixie|e2e|v?[0-9]")
REFERENCE = re.compile(
    r"(?P<repository>(?:[a-zA-Z0-9.-]+(?::[0-9]+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)


class InvalidImageName(ValueError):
    """The text is no image reference at all."""


class PullError(Exception):
    """The registry has no such image. What a runtime says of it: runtimes.py."""


@dataclass(frozen=True, slots=True)
class Image:
    """A resolved reference. `name`: with registry and tag; `digest`: of the manifest; `id`: of the config."""

    name: str
    repository: str
    digest: str
    id: str
    size: int
    program: str
    command: tuple[str, ...]
    entrypoint: bool = False

    @property
    def pinned(self) -> str:
        """What a pod's status shows as imageID."""
        return f"{self.repository}@{self.digest}"


@lru_cache(maxsize=4096)
def resolve(reference: str) -> Image:
    """What `reference` stands for. Errors: InvalidImageName.

    >>> resolve("nginx").name, resolve("ghcr.io/acme/web:1").program
    ('docker.io/library/nginx:latest', 'generic')
    """
    match = REFERENCE.fullmatch(reference)
    if match is None:
        raise InvalidImageName(f'couldn\'t parse image name "{reference}": invalid reference format')
    repository = full_repository(match["repository"])
    tag = match["tag"] or ("" if match["digest"] else "latest")
    name = f"{repository}:{tag}" if tag else f"{repository}@{match['digest']}"
    known = CATALOGUE.get(_upstream(repository)) or Known("generic", _guessed_size(repository))
    digest = match["digest"] or f"sha256:{sha256(name.encode()).hexdigest()}"
    identity = f"sha256:{sha256(b'config ' + name.encode()).hexdigest()}"
    return Image(name, repository, digest, identity, known.size, known.program, known.command, known.entrypoint)


def check(image: Image) -> None:
    """Ask the registry. Errors: PullError if it has no such tag."""
    tag = image.name.removeprefix(image.repository).lstrip(":@")
    if image.repository in CATALOGUE and ":" not in tag and not PUBLISHED_TAG.match(tag):
        raise PullError(f"{image.name}: not found")


def full_repository(text: str) -> str:
    """With registry, and with `library/` where Docker Hub implies it."""
    first, slash, _ = text.partition("/")
    if not slash:
        return f"docker.io/library/{text}"
    if first == "docker.io" and text.count("/") == 1:
        return f"docker.io/library/{text.partition('/')[2]}"
    if "." in first or ":" in first or first == "localhost":
        return text
    return f"docker.io/{text}"


def _upstream(repository: str) -> str:
    """The catalogue's name of an image that several registries have."""
    for mirror in MIRRORS:
        if repository.startswith(mirror):
            return f"docker.io/library/{repository.removeprefix(mirror)}"
    return repository.replace("k8s.gcr.io/", "registry.k8s.io/", 1)


def _guessed_size(repository: str) -> int:
    """Between 20 and 180 MB, always the same for a name."""
    seed = int.from_bytes(blake2b(repository.encode(), digest_size=8).digest(), "big")
    return noise.between(20, 180, seed) * MB
