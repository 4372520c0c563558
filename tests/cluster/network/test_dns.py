"""Names are looked up where a pod's resolv.conf says, and CoreDNS's pods answer, if there are any."""

import orjson
import pytest

from cluster.addons.dns import zone
from cluster.network import CONNECTED, SILENT, UNREACHABLE, x_ray
from cluster.objects import Manifest
from tests.builders import a_pod
from tests.cluster.network.conftest import SYSTEM, TOOLS, Lab, a_service

DNS = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "coredns", "namespace": SYSTEM}}


def a_set(name: str) -> Manifest:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "image": "nginx:1.27"}]}}
    spec = {"serviceName": name, "replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name}, "spec": spec}


def test_a_service_is_found_by_its_short_name_and_by_its_full_one(lab: Lab):
    for name in ("web", "web.default", "web.default.svc.cluster.local"):
        code, said = lab.run("nslookup", name)
        assert code == 0
        assert said == (
            "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10#53\n\n"
            f"Name:\tweb.default.svc.cluster.local\nAddress: {lab.address('web')}\n\n"
        )


def test_busybox_writes_the_port_behind_a_colon(lab: Lab):
    lab.cluster.create(a_pod("box", "busybox:1.36", command=["sleep", "3600"]))
    lab.cluster.run_for(10)

    assert "Address:\t10.96.0.10:53\n" in lab.run("nslookup", "web", pod="box")[1]


def test_a_name_that_there_is_not_is_nxdomain(lab: Lab):
    assert lab.run("nslookup", "shop") == (
        1, "Server:\t\t10.96.0.10\nAddress:\t10.96.0.10#53\n\n** server can't find shop: NXDOMAIN\n\n",
    )  # fmt: skip
    assert lab.run("wget", "-qO-", "shop")[1] == "wget: bad address 'shop'\n"
    assert lab.run("curl", "-sS", "shop") == (6, "curl: (6) Could not resolve host: shop\n")


def test_without_its_pods_nobody_answers_and_then_somebody_does_again(lab: Lab):
    lab.patch(DNS, {"replicas": 0})
    lab.cluster.run_for(10)
    code, said = lab.run("nslookup", "web", seconds=11)
    assert (code, said) == (1, ";; connection timed out; no servers could be reached\n\n")
    assert lab.run("curl", "-s", "-o", "/dev/null", lab.address("web"))[0] == 0  # Addresses need no names.

    lab.patch(DNS, {"replicas": 1})
    lab.cluster.run_for(15)

    assert lab.run("nslookup", "web")[0] == 0


def test_a_headless_service_leads_to_its_pods_and_each_of_a_stateful_set_has_a_name(lab: Lab):
    lab.cluster.create(a_service("db", clusterIP="None"))
    lab.cluster.create(a_set("db"))
    lab.cluster.run_for(30)
    addresses = {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in lab.pods("db")}

    assert sorted(lab.run("dig", "+short", "db.default.svc.cluster.local")[1].split()) == sorted(addresses.values())
    assert lab.run("dig", "+short", "+search", "db-1.db")[1].split() == [addresses["db-1"]]
    assert lab.run("dig", "+short", "-x", addresses["db-0"])[1] == "db-0.db.default.svc.cluster.local.\n"
    targets = lab.run("dig", "+short", "_http._tcp.db.default.svc.cluster.local", "SRV")[1]
    assert "db-0.db.default.svc.cluster.local." in targets
    assert "Welcome" in lab.run("curl", "-s", "db-1.db")[1]


def test_ports_external_names_pods_and_addresses_have_records(lab: Lab):
    lab.cluster.create(a_service("ext", type="ExternalName", externalName="web.default.svc.cluster.local"))
    lab.cluster.run_for(1)

    assert lab.run("dig", "+short", "_http._tcp.web.default.svc.cluster.local", "SRV")[1] == (
        "0 100 80 web.default.svc.cluster.local.\n"
    )
    assert lab.run("dig", "+short", "ext.default.svc.cluster.local")[1].split() == [
        "web.default.svc.cluster.local.", lab.address("web"),
    ]  # fmt: skip
    assert lab.run("host", "10.96.0.1")[1] == (
        "1.0.96.10.in-addr.arpa domain name pointer kubernetes.default.svc.cluster.local.\n"
    )
    assert "Welcome" in lab.run("curl", "-s", "ext")[1]
    assert lab.run("dig", "+short", "10-244-0-9.default.pod.cluster.local")[1] == "10.244.0.9\n"


def test_a_pod_s_dns_policy_and_config_say_whom_it_asks(lab: Lab):
    options = [{"name": "ndots", "value": "2"}]
    config = {"nameservers": ["10.96.0.10"], "searches": ["svc.cluster.local"], "options": options}
    lab.cluster.create(a_pod("own", TOOLS, command=["sleep", "3600"], dnsPolicy="None", dnsConfig=config))
    lab.cluster.create(a_pod("host", TOOLS, command=["sleep", "3600"], dnsPolicy="Default"))
    aliases = [{"ip": "10.1.2.3", "hostnames": ["shop.example", "shop"]}]
    lab.cluster.create(a_pod("alias", TOOLS, command=["sleep", "3600"], hostAliases=aliases))
    lab.cluster.run_for(20)

    assert lab.run("cat", "/etc/resolv.conf", pod="own")[1] == (
        "search svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:2\n"
    )
    assert lab.run("getent", "hosts", "web.default", pod="own")[1].split()[0] == lab.address("web")
    assert lab.run("getent", "hosts", "web", pod="own")[0] == 2
    assert lab.run("getent", "hosts", "web", pod="host", seconds=12)[0] == 2
    assert x_ray(lab.cluster.world.site, lab.pod("own"), "web.default", 80).fate == CONNECTED
    assert x_ray(lab.cluster.world.site, lab.pod("own"), "web", 80).fate == UNREACHABLE
    assert x_ray(lab.cluster.world.site, lab.pod("host"), "web", 80).fate == SILENT
    assert lab.run("getent", "hosts", "shop.example", pod="alias")[1].split() == ["10.1.2.3", "shop.example"]


class Shelf:
    """Objects by kind, for asking the zone alone."""

    def __init__(self, **objects: list[Manifest]) -> None:
        self.objects = objects

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        found = (o for o in self.objects.get(kind, ()) if o["metadata"]["name"] == name)
        return next((o for o in found if o["metadata"].get("namespace", "") == namespace), None)

    def list(self, kind: str, namespace: str | None = None) -> list[Manifest]:
        return [o for o in self.objects.get(kind, ()) if namespace in (None, o["metadata"].get("namespace"))]


SHELF = Shelf(
    Namespace=[{"metadata": {"name": "default"}}],
    Service=[
        {"metadata": {"name": "web", "namespace": "default"},
         "spec": {"clusterIP": "10.96.0.7", "ports": [{"port": 80}]}},
        {"metadata": {"name": "loop", "namespace": "default"},
         "spec": {"type": "ExternalName", "externalName": "loop.default.svc.cluster.local"}},
    ],
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "type_", "code", "values"),
    [
        ("web.default.svc.cluster.local", "A", zone.OK, ["10.96.0.7"]),
        ("WEB.default.svc.cluster.local.", "A", zone.OK, ["10.96.0.7"]),
        ("web.default.svc.cluster.local", "AAAA", zone.OK, []),
        ("default.svc.cluster.local", "A", zone.OK, []),
        ("nope.default.svc.cluster.local", "A", zone.NXDOMAIN, []),
        ("web.nope.svc.cluster.local", "A", zone.NXDOMAIN, []),
        ("a.b.c.web.default.svc.cluster.local", "A", zone.NXDOMAIN, []),
        ("1-2-3-4.default.pod.cluster.local", "A", zone.OK, ["1.2.3.4"]),
        ("1-2-3-400.default.pod.cluster.local", "A", zone.NXDOMAIN, []),
        ("7.0.96.10.in-addr.arpa", "PTR", zone.OK, ["web.default.svc.cluster.local."]),
        ("9.0.96.10.in-addr.arpa", "PTR", zone.NXDOMAIN, []),
        ("cluster.local", "SOA", zone.OK, ["ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30"]),
        ("dns-version.cluster.local", "TXT", zone.OK, ['"1.1.0"']),
        ("example.com", "A", zone.NXDOMAIN, []),
    ],
)
def test_the_zone_answers(name: str, type_: str, code: str, values: list[str]):
    reply = zone.lookup(SHELF, name, type_)

    assert (reply.code, [record.value for record in reply.records]) == (code, values)


def test_an_alias_of_itself_is_not_followed_for_ever():
    assert zone.lookup(SHELF, "loop.default.svc.cluster.local", "A").code == zone.SERVFAIL


def test_a_static_name_server_counts_what_it_is_asked(lab: Lab):
    manifest = orjson.dumps(a_pod("dns", "registry.k8s.io/coredns/coredns:v1.12.3")).decode()
    lab.cluster.act("static-pod", node="worker-1", op="add", file="dns.yaml", text=manifest)
    lab.cluster.run_for(20)
    address = lab.pod("dns-worker-1")["status"]["podIP"]

    lab.shell(f"dig @{address} web.default.svc.cluster.local")

    containers = lab.cluster.world.cells["containers"].data.values()
    asked = [each.get("queries") for each in containers if each["pod"] == "dns-worker-1" and "program" in each]
    assert asked == [{"A NOERROR 1": 1}]
