"""nginx: a web server. Talks while it starts and stops; in between its access log is the traffic's business.

Mirrors:  the official image's docker-entrypoint.sh and nginx 1.27 (signal 3 is the image's STOPSIGNAL)
"""

from cluster.runtime import noise
from cluster.runtime.programs.program import MIB, MILLISECOND, Line, Program

WORKERS = 2
ENTRYPOINT = (
    "/docker-entrypoint.sh: /docker-entrypoint.d/ is not empty, will attempt to perform configuration",
    "/docker-entrypoint.sh: Looking for shell scripts in /docker-entrypoint.d/",
    "/docker-entrypoint.sh: Launching /docker-entrypoint.d/10-listen-on-ipv6-by-default.sh",
    "10-listen-on-ipv6-by-default.sh: info: Getting the checksum of /etc/nginx/conf.d/default.conf",
    "10-listen-on-ipv6-by-default.sh: info: Enabled listen on IPv6 in /etc/nginx/conf.d/default.conf",
    "/docker-entrypoint.sh: Launching /docker-entrypoint.d/20-envsubst-on-templates.sh",
    "/docker-entrypoint.sh: Launching /docker-entrypoint.d/30-tune-worker-processes.sh",
    "/docker-entrypoint.sh: Configuration complete; ready for start up",
)


class Nginx(Program):
    cpu, memory, stop_time = 1, 9 * MIB, 60 * MILLISECOND
    threads, places = WORKERS, WORKERS * 1024  # worker_connections of each.

    def ports(self) -> tuple[int, ...]:
        return (80,)

    def at_start(self) -> list[Line]:
        lines = [self.printed((4 + 3 * n) * MILLISECOND, text) for n, text in enumerate(ENTRYPOINT)]
        notices = [
            'using the "epoll" event method',
            f"nginx/{self.version}",
            "start worker processes",
            *(f"start worker process {29 + number}" for number in range(WORKERS)),
        ]
        at = 30 * MILLISECOND + noise.mix(self.process.seed, 1) % (8 * MILLISECOND)
        first = self.process.started + at
        return lines + [self._notice(first + 200 * n, text) for n, text in enumerate(notices)]

    def at_stop(self) -> list[Line]:
        at = self.process.stopped or 0
        texts = ["signal 3 (SIGQUIT) received, shutting down", "gracefully shutting down", "exiting"]
        return [self._notice(at + MILLISECOND * (1 + 9 * n), text) for n, text in enumerate(texts)]

    def _notice(self, at: int, text: str) -> Line:
        return Line(at, "stderr", f"{self.process.date(at):%Y/%m/%d %H:%M:%S} [notice] 1#1: {text}")

    @property
    def version(self) -> str:
        return version(self.process.image)


def version(image: str) -> str:
    """What an image's tag says, else today's."""
    tag = image.rpartition(":")[2].partition("-")[0]
    known = tag[:1].isdigit()
    return f"{tag}.0" if known and tag.count(".") == 1 else tag if known else "1.29.3"
