"""A real DNS server answers for the clusters, over UDP and TCP, for as long as CoreDNS has a pod that runs."""

import socket
import struct
from collections.abc import Callable

import pytest
from twisted.names import dns

from tests.serving.installation import Installation, eventually, free_port

KUBE_DNS = "hello.default.svc.cluster.local"


def asked(port: int, name: str, type_: int = dns.A, tcp: bool = False) -> dns.Message:
    """One question of a real client's."""
    message = dns.Message(id=4711, recDes=1)
    message.addQuery(name.encode(), type_)
    wire = message.toStr()
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as client:
        client.settimeout(10)
        client.connect(("127.0.0.1", port))
        client.sendall(struct.pack("!H", len(wire)) + wire if tcp else wire)
        data = client.recv(4096)
    answer = dns.Message()
    answer.fromStr(data[2:] if tcp else data)
    return answer


def addresses(answer: dns.Message) -> list[str]:
    return [record.payload.dottedQuad() for record in answer.answers if record.type == dns.A]


@pytest.fixture
def names(installed: Callable[..., Installation]) -> tuple[Installation, int]:
    port = free_port()
    running = installed(DNS_PORT=str(port))
    eventually(lambda: addresses(asked(port, KUBE_DNS)), 60, "CoreDNS to answer")
    return running, port


def test_services_have_addresses_over_udp_and_tcp(names):
    _, port = names

    (address,) = addresses(asked(port, KUBE_DNS))
    assert address.startswith("10.96.")
    assert addresses(asked(port, KUBE_DNS, tcp=True)) == [address]
    assert addresses(asked(port, f"{KUBE_DNS}.default")) == [address]
    pointer = asked(port, ".".join(reversed(address.split("."))) + ".in-addr.arpa", dns.PTR).answers[0]
    assert str(pointer.payload.name) == KUBE_DNS


def test_a_name_that_there_is_not_is_refused_and_one_of_another_type_is_empty(names):
    _, port = names

    assert asked(port, "nobody.default.svc.cluster.local").rCode == dns.ENAME
    assert asked(port, "example.com").rCode == dns.ENAME
    empty = asked(port, KUBE_DNS, dns.AAAA)
    assert (empty.rCode, empty.answers) == (dns.OK, [])
    assert asked(port, f"{KUBE_DNS}.nowhere").rCode == dns.ESERVER


def test_without_the_pods_of_coredns_nobody_answers_and_then_somebody_does_again(names):
    running, port = names
    path = "/apis/apps/v1/namespaces/kube-system/deployments/coredns/scale"
    headers = {"content-type": "application/merge-patch+json"}

    def scale(replicas: int) -> None:
        body = f'{{"spec":{{"replicas":{replicas}}}}}'
        request = {"type": "api", "method": "PATCH", "path": path, "query": "", "headers": headers, "body": body}
        assert running.ask(request).status == 200

    scale(0)
    eventually(lambda: asked(port, KUBE_DNS).rCode == dns.ESERVER, 30, "CoreDNS to be gone")
    scale(1)
    eventually(lambda: addresses(asked(port, KUBE_DNS)), 60, "CoreDNS to be back")
