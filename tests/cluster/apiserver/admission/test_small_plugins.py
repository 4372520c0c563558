"""The smaller plugins: identities, priorities, default classes, nodes and signers."""

from base64 import b64encode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster.objects import Manifest
from tests.builders import Refused, a_cluster, a_pod
from tests.cluster.apiserver.admission.words import refusal

NODE = "system:node:worker-1"


def a_priority_class(name: str, value: int, **more: object) -> Manifest:
    head = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}}
    return {**head, "value": value, **more}


def a_claim(name: str, size: str = "1Gi", **spec: object) -> Manifest:
    body = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}, **spec}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": body}


def a_storage_class(name: str, default: bool = False, **more: object) -> Manifest:
    mark = {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}} if default else {}
    head = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name, **mark}}
    return {**head, "provisioner": "example.com/disk", **more}


def test_pods_pull_images_with_their_accounts_secrets():
    cluster = a_cluster(nodes=1)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    cluster.patch(account, {"imagePullSecrets": [{"name": "registry"}]})

    assert cluster.create(a_pod("web"))["spec"]["imagePullSecrets"] == [{"name": "registry"}]


def test_an_account_can_keep_its_pods_from_other_secrets():
    cluster = a_cluster(nodes=1)
    mark = {"annotations": {"kubernetes.io/enforce-mountable-secrets": "true"}}
    cluster.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shy", **mark}})
    volumes = [{"name": "v", "secret": {"secretName": "keys"}}]

    assert refusal(cluster, a_pod("web", serviceAccountName="shy", volumes=volumes)) == (
        'pods "web" is forbidden: volume with secret.secretName="keys" is not allowed because service account shy does'
        " not reference that secret"
    )


def test_a_mirror_pod_refers_to_nothing():
    cluster = a_cluster(nodes=1)
    pod = a_pod("static", volumes=[{"name": "v", "configMap": {"name": "settings"}}])
    pod["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "abc"}

    assert refusal(cluster, pod) == 'pods "static" is forbidden: a mirror pod may not reference configmaps'


def test_only_one_priority_class_is_the_default():
    cluster = a_cluster(nodes=1).with_objects(a_priority_class("usual", 5, globalDefault=True))

    assert refusal(cluster, a_priority_class("other", 6, globalDefault=True)) == (
        'priorityclasses.scheduling.k8s.io "other" is forbidden: PriorityClass usual is already marked as default. Only'
        " one default can exist"
    )
    assert cluster.create(a_pod("web"))["spec"]["priority"] == 5


def test_a_pod_may_not_claim_another_preemption_policy_than_its_class():
    cluster = a_cluster(nodes=1).with_objects(a_priority_class("calm", 5, preemptionPolicy="Never"))

    said = refusal(cluster, a_pod("web", priorityClassName="calm", preemptionPolicy="PreemptLowerPriority"))

    assert said == (
        'pods "web" is forbidden: the string value of PreemptionPolicy (PreemptLowerPriority) must not be provided in'
        " pod spec; priority admission controller computed Never from the given PriorityClass name"
    )


def test_a_claim_without_a_class_gets_the_default_one():
    cluster = a_cluster(nodes=1).with_objects(a_storage_class("slow"), a_storage_class("fast", default=True))

    assert cluster.create(a_claim("data"))["spec"]["storageClassName"] == "fast"
    assert cluster.create(a_claim("none", storageClassName=""))["spec"]["storageClassName"] == ""


def test_a_claim_grows_only_if_its_class_lets_it():
    soft = a_storage_class("soft", allowVolumeExpansion=True)
    cluster = a_cluster(nodes=1).with_objects(a_storage_class("firm"), soft)
    for name in ("firm", "soft"):
        cluster.create(a_claim(name, storageClassName=name, volumeName=name))
        cluster.patch(a_claim(name), {"status": {"phase": "Bound"}}, "status")
    more = {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}

    grown = cluster.patch(a_claim("soft"), more)

    assert grown["spec"]["resources"]["requests"] == {"storage": "2Gi"}
    with pytest.raises(Refused, match="only dynamically provisioned pvc can be resized and the storageclass"):
        cluster.patch(a_claim("firm"), more)


def test_an_ingress_without_a_class_gets_the_default_one():
    cluster = a_cluster(nodes=1)
    mark = {"annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}}
    head = {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "nginx", **mark}}
    cluster.create({**head, "spec": {"controller": "example.com/ingress"}})
    backend = {"service": {"name": "web", "port": {"number": 80}}}

    ingress = cluster.create(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": "web"},
            "spec": {"defaultBackend": backend},
        }
    )

    assert ingress["spec"]["ingressClassName"] == "nginx"


def test_a_node_may_not_touch_another_node():
    cluster = a_cluster(nodes=2)

    with pytest.raises(Refused) as caught:
        cluster.acting_as(NODE, "system:nodes").request(
            "PATCH",
            "/api/v1/nodes/worker-2",
            {"metadata": {"labels": {"a": "b"}}},
            content_type="application/merge-patch+json",
        )

    assert 'node "worker-1"' in caught.value.body["message"]
    assert caught.value.status == 403


def test_a_node_may_not_give_itself_labels_that_draw_workloads():
    cluster = a_cluster(nodes=1)

    with pytest.raises(Refused) as caught:
        cluster.acting_as(NODE, "system:nodes").request(
            "PATCH",
            "/api/v1/nodes/worker-1",
            {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}},
            content_type="application/merge-patch+json",
        )

    assert caught.value.body["message"] == (
        'nodes "worker-1" is forbidden: node "worker-1" is not allowed to modify labels:'
        " node-role.kubernetes.io/control-plane"
    )


def test_a_pod_learns_the_zone_of_its_node():
    machine = {"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}}
    cluster = a_cluster(nodes=[machine]).with_objects(a_pod("web")).settle()

    pod = cluster.get("Pod", "web")

    assert pod is not None
    assert pod["metadata"]["labels"] == {"topology.kubernetes.io/zone": "z1"}


def test_nobody_asks_for_a_certificate_that_makes_a_master():
    cluster = a_cluster(nodes=1)
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters")])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = request.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(
        serialization.Encoding.PEM
    )
    signer = "kubernetes.io/kube-apiserver-client"
    spec = {"request": b64encode(pem).decode(), "signerName": signer, "usages": ["client auth"]}
    body = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": {"name": "c"}}

    assert refusal(cluster, {**body, "spec": spec}) == (
        'certificatesigningrequests.certificates.k8s.io "c" is forbidden: use of kubernetes.io/kube-apiserver-client'
        " signer with system:masters group is not allowed"
    )
