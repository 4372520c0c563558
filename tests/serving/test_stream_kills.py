"""Sessions of exec live through the death of whoever drives the world."""

import subprocess
import sys
import threading
from pathlib import Path

from cluster.models import Input
from tests.serving.installation import Installation, eventually

KUBECTL = str(Path(sys.executable).parent / "kubectl")


def kubectl(orrery: Installation, *words: str) -> "subprocess.Popen[str]":
    command = [KUBECTL, "--kubeconfig", str(orrery.home / "kubeconfig"), *words]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )


def finished(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err
    return out


def a_box(orrery: Installation) -> None:
    finished(kubectl(orrery, "run", "box", "--image=busybox:1.36", "--", "sleep", "1000000"))
    finished(kubectl(orrery, "wait", "--for=condition=Ready", "pod/box", "--timeout=60s"))


def test_nothing_typed_or_printed_is_lost_when_workers_are_killed(orrery: Installation):
    a_box(orrery)
    shell = kubectl(orrery, "exec", "-i", "box", "--", "sh")
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write("n=0\n")

    for number in range(1, 13):
        shell.stdin.write("n=$((n + 1)); echo said $n\n")
        if number % 4 == 0:
            orrery.kill_owner_of("default")
        assert shell.stdout.readline() == f"said {number}\n"
    shell.stdin.write("exit 0\n")
    shell.stdin.close()

    assert shell.wait(60) == 0
    typed = [row for row in Input.objects.all() if b'"op":"stdin"' in bytes(row.request)]
    assert len({row.id for row in typed}) == len(typed)


def test_a_command_that_takes_its_time_goes_on_under_another_worker(orrery: Installation):
    a_box(orrery)
    counting = kubectl(orrery, "exec", "box", "--", "sh", "-c", "for i in 1 2 3 4 5 6; do echo $i; sleep 1; done")
    assert counting.stdout is not None
    assert counting.stdout.readline() == "1\n"

    orrery.kill_owner_of("default")

    assert counting.stdout.read() == "2\n3\n4\n5\n6\n"
    assert counting.wait(60) == 0


def test_a_stream_ends_when_its_door_does_and_the_next_one_finds_the_files(orrery: Installation):
    a_box(orrery)
    shell = kubectl(orrery, "exec", "-i", "box", "--", "sh", "-c", "echo here > /tmp/f; echo ready; cat")
    assert shell.stdout is not None
    assert shell.stdout.readline() == "ready\n"
    before = orrery.pids()["daphne"]

    orrery.kill("daphne")

    assert shell.wait(60) != 0
    eventually(lambda: orrery.pids().get("daphne", before) != before, what="the door to be back")

    def answers() -> bool:
        process = kubectl(orrery, "exec", "box", "--", "cat", "/tmp/f")
        return process.communicate(timeout=60)[0] == "here\n"

    eventually(answers, 30, "the file")


def test_a_client_that_does_not_read_makes_the_program_wait(orrery: Installation):
    a_box(orrery)
    flood = kubectl(orrery, "exec", "box", "--", "yes")
    assert flood.stdout is not None
    for _ in range(200_000):
        assert flood.stdout.readline() == "y\n"
    threading.Event().wait(0)

    flood.kill()
    flood.wait(60)

    assert finished(kubectl(orrery, "exec", "box", "--", "echo", "alive")) == "alive\n"
