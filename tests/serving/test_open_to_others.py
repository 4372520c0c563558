"""HOST=0.0.0.0: whoever can reach the machine can reach the clusters, if they know the address that holds the token."""

import http.client
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.serving.installation import Installation


def test_without_the_token_nothing_is_there_and_with_it_everything_works(installed: Callable[..., Installation]):
    orrery = installed(HOST="0.0.0.0")
    said = "".join(orrery.output)
    token = re.search(r"http://127\.0\.0\.1:\d+/([\w-]{43})/", said)

    def get(path: str) -> int:
        door = http.client.HTTPConnection("127.0.0.1", orrery.port, timeout=20)
        door.request("GET", path, headers={"Host": "school.example"})
        return door.getresponse().status

    assert "warning" in said
    assert token
    for path in ("/clusters/default/api/v1/pods", "/view/default/"):
        assert get(path) == 404
        assert get(f"/wrong{path}") == 404
        assert get(f"/{token[1]}{path}") == 200
    kubectl = [str(Path(sys.executable).parent / "kubectl"), "--kubeconfig", str(orrery.home / "kubeconfig")]
    nodes = subprocess.run([*kubectl, "get", "nodes", "-o", "name"], capture_output=True, text=True, check=True)
    assert nodes.stdout.split() == ["node/worker-1", "node/worker-2", "node/worker-3"]


def test_on_loopback_another_sites_name_for_us_is_refused(orrery: Installation):
    door = http.client.HTTPConnection("127.0.0.1", orrery.port, timeout=20)

    door.request("GET", "/view/default/", headers={"Host": "rebound.example"})

    assert door.getresponse().status == 400
