"""A real kubectl over https as somebody: with a certificate, with a token, in another's name; and what it may then."""

import base64
import subprocess
import sys
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from cluster.objects.credentials import certificates
from tests.serving.installation import Installation, eventually

KUBECTL = str(Path(sys.executable).parent / "kubectl")


class Kubectl:
    """kubectl with one kubeconfig. Calling it returns what it said; `refused` what it complained of."""

    def __init__(self, config: Path, *flags: str) -> None:
        self.flags = ["--kubeconfig", str(config), "--cache-dir", str(config.parent / "cache"), *flags]

    def run(self, *arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
        command = [KUBECTL, *self.flags, *arguments]
        return subprocess.run(command, capture_output=True, text=True, input=stdin, check=False, timeout=60)

    def __call__(self, *arguments: str, stdin: str | None = None) -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refused(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode != 0, done.stdout
        return done.stderr.strip()


def with_user(orrery: Installation, name: str, user: dict[str, str]) -> Path:
    """The installation's kubeconfig with another user in it."""
    config = yaml.safe_load((orrery.home / "kubeconfig").read_text())
    config["users"][0]["user"] = user
    path = orrery.home / f"{name}.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def test_kubectl_is_who_its_credentials_say_and_may_what_roles_say(orrery: Installation):
    admin = Kubectl(orrery.home / "kubeconfig")
    stranger = Kubectl(with_user(orrery, "stranger", {}), "--username", "", "--token", "bad")
    issued = orrery.manage("cluster", "kubeconfig", "--user", "alice", "--group", "dev")
    (orrery.home / "alice.kubeconfig").write_text(issued.stdout)
    alice = Kubectl(orrery.home / "alice.kubeconfig")

    assert "kubernetes-admin" in admin("auth", "whoami")
    assert admin("auth", "can-i", "create", "pods") == "yes"
    assert "Unauthorized" in stranger.refused("get", "pods")
    assert "Unauthorized" in stranger.refused("get", "--raw", "/nope")

    assert "[dev system:authenticated]" in alice("auth", "whoami")
    assert alice.refused("get", "pods") == (
        'Error from server (Forbidden): pods is forbidden: User "alice" cannot list resource "pods" in API group ""'
        ' in the namespace "default"'
    )
    assert "cannot create resource" in alice.refused("create", "configmap", "mine")
    admin("create", "rolebinding", "devs", "--clusterrole=edit", "--group=dev")
    assert "created" in alice("create", "configmap", "mine")
    assert "cannot impersonate-on:user-info:list" in alice.refused("get", "pods", "--as", "bob")
    assert "bob" in admin.refused("get", "pods", "--as", "bob")

    admin("create", "serviceaccount", "bot")
    token = admin("create", "token", "bot")
    bot = Kubectl(with_user(orrery, "bot", {"token": token}))
    assert "system:serviceaccount:default:bot" in bot("auth", "whoami")
    assert "cannot list" in bot.refused("get", "pods")
    admin("create", "rolebinding", "bots", "--clusterrole=view", "--serviceaccount=default:bot")
    assert bot("auth", "can-i", "list", "pods") == "yes"
    admin("delete", "serviceaccount", "bot")
    assert "Unauthorized" in bot.refused("get", "pods")


def test_an_approved_signing_request_becomes_a_login(orrery: Installation):
    admin, key = Kubectl(orrery.home / "kubeconfig"), ec.generate_private_key(ec.SECP256R1())
    asked = x509.CertificateSigningRequestBuilder().subject_name(certificates.subject_of("carol", ["ops"]))
    pem = asked.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    spec = {
        "request": base64.b64encode(pem).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
    }
    kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
    admin("create", "-f", "-", stdin=yaml.safe_dump({**kind, "metadata": {"name": "carol"}, "spec": spec}))
    admin("certificate", "approve", "carol")

    certificate = "jsonpath={.status.certificate}"
    signed = eventually(lambda: admin("get", "csr", "carol", "-o", certificate), what="a signature")

    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    user = {"client-certificate-data": signed, "client-key-data": base64.b64encode(private).decode()}
    carol = Kubectl(with_user(orrery, "carol", user))
    assert "[ops system:authenticated]" in carol("auth", "whoami")
