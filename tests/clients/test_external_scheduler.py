"""Another scheduler takes the pods that name it; ours leaves them alone."""

import subprocess
import sys
import uuid
from pathlib import Path

import kubernetes

from tests.clients.test_python import eventually

EXAMPLE = Path(__file__).parents[2] / "examples" / "external_scheduler.py"


def a_pod(name, scheduler):
    spec = {"schedulerName": scheduler, "containers": [{"name": "c", "image": "nginx:1.27"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def test_pods_for_another_scheduler_wait_for_it_and_are_bound_by_it(kubeconfig):
    core = kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(kubeconfig)))
    space = f"py-{uuid.uuid4().hex[:8]}"
    core.create_namespace({"metadata": {"name": space}})
    for name, scheduler in (("theirs-1", "other"), ("theirs-2", "other"), ("ours", "default-scheduler")):
        core.create_namespaced_pod(space, a_pod(name, scheduler))

    def phase(name):
        return core.read_namespaced_pod(name, space).status.phase

    eventually(lambda: phase("ours") == "Running", "our scheduler's pod")
    assert {phase("theirs-1"), phase("theirs-2")} == {"Pending"}
    assert [e for e in core.list_namespaced_event(space).items if e.involved_object.name.startswith("theirs")] == []
    assert core.read_namespaced_pod("theirs-1", space).status.conditions is None

    example = subprocess.Popen([sys.executable, str(EXAMPLE), str(kubeconfig)], stdout=subprocess.PIPE, text=True)
    try:
        eventually(lambda: {phase("theirs-1"), phase("theirs-2")} == {"Running"}, "the other scheduler's pods")
    finally:
        example.terminate()
        said = example.communicate(timeout=30)[0]
    assert "scheduling for other" in said
    said_of_them = [e for e in core.list_namespaced_event(space).items if e.reporting_component == "other"]
    assert {e.reason for e in said_of_them} == {"Scheduled"}
    core.delete_namespace(space)
