"""`python -m bench` runs every bench; `python -m bench latency rollout` runs some."""

import sys

from bench import (
    api,
    chatty,
    click,
    death,
    growth,
    idle,
    latency,
    live,
    logs,
    query,
    rollout,
    scheduler,
    scrapes,
    start,
    traffic,
)

BENCHES = {
    "start": start.main,
    "latency": latency.main,
    "api": api.main,
    "rollout": rollout.main,
    "idle": idle.main,
    "click": click.main,
    "scheduler": scheduler.main,
    "death": death.main,
    "growth": growth.main,
    "live": live.main,
    "logs": logs.main,
    "traffic": traffic.main,
    "scrapes": scrapes.main,
    "query": query.main,
    "chatty": chatty.main,
}


def main(names: list[str]) -> None:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        sys.exit(f"no bench {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    for name in names or BENCHES:
        BENCHES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
