"""A kopf operator: custom kinds, a handler each for creation, change and deletion, a finalizer, status and events."""

import subprocess
import sys
from pathlib import Path

import kubernetes
import pytest

from tests.clients.test_python import eventually

OPERATOR = Path(__file__).parent / "operator_of_gardens.py"
GARDENS = {"group": "gardens.example", "version": "v1", "plural": "gardens"}
SPACE = "gardening"


def a_definition():
    spec = {"type": "object", "properties": {"plants": {"type": "integer", "minimum": 0}}}
    kept = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    root = {"type": "object", "properties": {"spec": spec, "status": kept}}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": root}}
    names = {"plural": "gardens", "singular": "garden", "kind": "Garden", "shortNames": ["gd"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gardens.gardens.example"},
        "spec": {"group": "gardens.example", "scope": "Namespaced", "names": names, "versions": [version]},
    }


@pytest.fixture
def client(kubeconfig):
    return kubernetes.config.new_client_from_config(str(kubeconfig))


@pytest.fixture
def operator(server, client):
    """The operator as a process of its own, as it is run in earnest, watching one namespace."""
    kubernetes.client.CoreV1Api(client).create_namespace({"metadata": {"name": SPACE}})
    definitions = kubernetes.client.ApiextensionsV1Api(client)
    definitions.create_custom_resource_definition(a_definition())
    eventually(lambda: is_established(definitions), "the definition to be established")
    command = [sys.executable, "-m", "kopf", "run", "--standalone", "--namespace", SPACE, str(OPERATOR)]
    process = subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    yield process
    process.terminate()
    print(process.communicate(timeout=30)[0].decode())  # Shown if a test fails.


def is_established(definitions, name="gardens.gardens.example"):
    found = definitions.read_custom_resource_definition(name).status.conditions or []
    return any(condition.type == "Established" and condition.status == "True" for condition in found)


def test_a_new_kind_is_explained_and_listed_at_once(server, client):
    """In discovery and in OpenAPI by the time that its definition says it is established."""
    definitions = kubernetes.client.ApiextensionsV1Api(client)
    other = a_definition()
    other["metadata"] = {"name": "ponds.ponds.example"}
    other["spec"]["group"] = "ponds.example"
    other["spec"]["names"] = {"plural": "ponds", "singular": "pond", "kind": "Pond"}
    definitions.create_custom_resource_definition(other)
    eventually(lambda: is_established(definitions, "ponds.ponds.example"), "the definition to be established")

    kubectl = str(Path(sys.executable).parent / "kubectl")
    said = subprocess.run([kubectl, "explain", "pond.spec"], env=server.environment, capture_output=True, text=True)
    listed = subprocess.run([kubectl, "get", "ponds"], env=server.environment, capture_output=True, text=True)

    assert "plants" in said.stdout, said.stderr
    assert listed.stderr == "No resources found in default namespace.\n"
    definitions.delete_custom_resource_definition("ponds.ponds.example")


def test_an_operator_keeps_beds_for_gardens(operator, client):
    core, custom = kubernetes.client.CoreV1Api(client), kubernetes.client.CustomObjectsApi(client)
    beds = lambda: {each.metadata.name: each for each in core.list_namespaced_config_map(SPACE).items}  # noqa: E731
    garden = {"apiVersion": "gardens.example/v1", "kind": "Garden", "metadata": {"name": "rose"}, "spec": {"plants": 3}}
    custom.create_namespaced_custom_object(namespace=SPACE, body=garden, **GARDENS)

    bed = eventually(lambda: beds().get("rose-bed"), "a bed")
    assert bed.data == {"plants": "3"}
    (owner,) = bed.metadata.owner_references
    assert (owner.kind, owner.name) == ("Garden", "rose")
    read = lambda: custom.get_namespaced_custom_object(namespace=SPACE, name="rose", **GARDENS)  # noqa: E731
    eventually(lambda: read().get("status", {}).get("create") == {"planted": 3}, "the status")
    assert read()["metadata"]["finalizers"] == ["gardens.example/kopf"]

    custom.patch_namespaced_custom_object(namespace=SPACE, name="rose", body={"spec": {"plants": 5}}, **GARDENS)
    eventually(lambda: beds()["rose-bed"].data == {"plants": "5"}, "the bed to be enlarged")

    custom.delete_namespaced_custom_object(namespace=SPACE, name="rose", **GARDENS)
    eventually(lambda: "rose-is-gone" in beds(), "the deletion to be handled")
    eventually(lambda: not custom.list_namespaced_custom_object(namespace=SPACE, **GARDENS)["items"], "its end")
    eventually(lambda: "rose-bed" not in beds(), "its bed to be collected")
    reasons = lambda: {event.reason for event in core.list_namespaced_event(SPACE).items}  # noqa: E731
    eventually(lambda: "Planted" in reasons(), "the operator's event")
