"""Container runtimes behind CRI: what differs between them, as far as anybody outside sees it.

    containerd   the usual one                                    containerd://<id>
    cri-o        made for Kubernetes alone, versioned with it     cri-o://<id>
    docker       the daemon, behind cri-dockerd since 1.24        docker://<id>, docker-pullable:// images
    rkt          history: archived in 2019, spoke CRI by rktlet   rkt://<id>

The calls are the same for all of them; names, versions and the words of a failed pull are not.

Mirrors:  containerd 2.1, cri-o 1.37, Docker 28 with cri-dockerd 0.4, rkt 1.30
Left out: other handlers (gVisor, Kata), other directories, other log drivers.
"""

from typing import NamedTuple

from cluster.runtime.images import Image


class Kind(NamedTuple):
    """`missing`: what a pull of an image says that is not there; {name}, {short}, {tag} of the image."""

    name: str
    version: str
    socket: str
    missing: str
    pullable: str = ""  # Before an image's digest in a pod's status.


_NOT_FOUND = "rpc error: code = NotFound desc = "
_UNKNOWN = "rpc error: code = Unknown desc = "
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "containerd", "2.1.0", "/run/containerd/containerd.sock",
            _NOT_FOUND + 'failed to pull and unpack image "{name}": failed to resolve reference "{name}": '
            "{name}: not found",
        ),
        Kind(
            "cri-o", "1.37.0", "/var/run/crio/crio.sock",
            _UNKNOWN + "unable to pull image or OCI artifact: pull image err: initializing source docker://{name}:"
            " reading manifest {tag} in {repository}: manifest unknown; artifact err: manifest unknown",
        ),
        Kind(
            "docker", "28.5.1", "/var/run/cri-dockerd.sock",
            _UNKNOWN + "Error response from daemon: manifest for {short} not found: manifest unknown: manifest unknown",
            "docker-pullable://",
        ),
        Kind(
            "rkt", "1.30.0", "/var/run/rktlet.sock",
            _UNKNOWN + "failed to fetch image docker://{short}: manifest not found",
        ),
    )
}  # fmt: skip
USUAL = "containerd"


def of(name: str | None) -> Kind:
    """The runtime of that name; the usual one if it is none."""
    return KINDS.get(name or USUAL, KINDS[USUAL])


def not_found(kind: Kind, image: Image) -> str:
    """What `kind` says of an image that its registry does not have."""
    tag = image.name.removeprefix(image.repository).lstrip(":@")
    short = image.name.removeprefix("docker.io/library/").removeprefix("docker.io/")
    return kind.missing.format(name=image.name, repository=image.repository, tag=tag, short=short)


def unavailable(kind: Kind) -> str:
    """What a caller hears when the service is stopped."""
    dial = f"dial unix {kind.socket}: connect: no such file or directory"
    return f'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: {dial}"'
