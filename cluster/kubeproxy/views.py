"""A node's rules in the words of the kernel tools that people look at them with.

    iptables-save -t nat    chains KUBE-SERVICES, KUBE-NODEPORTS, KUBE-SVC-…, KUBE-SEP-…, with their probabilities
    ipvsadm -Ln             virtual servers, each with its real ones, round robin
    nft list ruleset        maps service-ips and service-nodeports, and chains

All three say the same; which of them a real node would have depends on its kube-proxy's mode.

Mirrors:  kubernetes/pkg/proxy/{iptables,ipvs,nftables}/proxier.go
Left out: masquerading marks, firewall chains of source ranges, the filter table.
"""

from base64 import b32encode
from collections.abc import Iterable
from hashlib import sha256

from cluster.kubeproxy.rules import ANY, CLUSTER, NODE_PORT, Endpoint, Rule, Table, candidates_of

WIDTH = 16  # Letters of the hash in a chain's name.
MODES = {"iptables": "iptables-save", "ipvs": "ipvsadm -Ln", "nftables": "nft list ruleset"}  # And their tools.


def shown(mode: str, table: Table, node: str, addresses: Iterable[str]) -> str:
    """The rules of `node`, which has these addresses, as the tool of a mode prints them."""
    if mode == "ipvs":
        return ipvs(table, node, addresses)
    return nftables(table, node) if mode == "nftables" else iptables(table, node)


def _hash(text: str) -> str:
    return b32encode(sha256(text.encode()).digest()).decode()[:WIDTH]


def _service_chain(rule: Rule) -> str:
    prefix = "KUBE-SVL-" if rule.local else "KUBE-SVC-"
    return prefix + _hash(rule.service + rule.protocol.lower())


def _endpoint_chain(rule: Rule, endpoint: Endpoint) -> str:
    return "KUBE-SEP-" + _hash(f"{rule.service}{rule.protocol.lower()}{endpoint.address}:{endpoint.port}")


def _sorted(table: Table) -> list[Rule]:
    return sorted(table.values(), key=lambda rule: (rule.service, rule.protocol, rule.kind, rule.address))


def iptables(table: Table, node: str) -> str:
    """`iptables-save -t nat`, as far as kube-proxy wrote it."""
    chains: dict[str, None] = dict.fromkeys(("KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-SERVICES"))
    lines, bodies, rejected = [], [], []
    for rule in _sorted(table):
        protocol = rule.protocol.lower()
        where = f'-p {protocol} -m comment --comment "{rule.service} {_title(rule)}" -m {protocol}'
        target = f"--dport {rule.port}"
        candidates = candidates_of(rule, node)
        if not candidates:
            fate = "DROP" if rule.local and rule.endpoints else "REJECT --reject-with icmp-port-unreachable"
            at = f"-d {rule.address}/32 " if rule.address != ANY else "-m addrtype --dst-type LOCAL "
            why = f'-m comment --comment "{rule.service} has no endpoints"'
            rejected.append(f"-A KUBE-SERVICES {at}{why} -p {protocol} {target} -j {fate}")
            continue
        chain = _service_chain(rule)
        if rule.kind == NODE_PORT:
            lines.append(f"-A KUBE-NODEPORTS {where} {target} -j {chain}")
        else:
            lines.append(f"-A KUBE-SERVICES -d {rule.address}/32 {where} {target} -j {chain}")
        if chain not in chains:
            chains[chain] = None
            bodies += _iptables_service(rule, chain, candidates, chains)
    lines.append(
        '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this'
        ' chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS'
    )
    heads = [f":{chain} - [0:0]" for chain in sorted(chains)]
    nat = ["*nat", *heads, *lines, *bodies, "COMMIT"]
    return "\n".join([*nat, "*filter", ":KUBE-SERVICES - [0:0]", *rejected, "COMMIT", ""])


def _title(rule: Rule) -> str:
    return {CLUSTER: "cluster IP", NODE_PORT: "node port"}.get(rule.kind, "external IP")


def _iptables_service(rule: Rule, chain: str, candidates: tuple[Endpoint, ...], chains: dict[str, None]) -> list[str]:
    """A Service's chain: one jump an endpoint, each as likely as the others."""
    lines, bodies, protocol = [], [], rule.protocol.lower()
    for place, endpoint in enumerate(candidates):
        own, left = _endpoint_chain(rule, endpoint), len(candidates) - place
        chains[own] = None
        to = f"{endpoint.address}:{endpoint.port}"
        comment = f'-m comment --comment "{rule.service} -> {to}"'
        if rule.affinity:
            seen = f"-m recent --rcheck --seconds {rule.affinity} --reap --name {own}"
            bodies.append(f"-A {chain} {comment} {seen} -j {own}")
        chance = f" -m statistic --mode random --probability {1 / left:.11f}" if left > 1 else ""
        lines.append(f"-A {chain} {comment}{chance} -j {own}")
        seen = f" -m recent --name {own} --set" if rule.affinity else ""
        comment = f'-m comment --comment "{rule.service}"'
        bodies.append(f"-A {own} -p {protocol} {comment}{seen} -m {protocol} -j DNAT --to-destination {to}")
    return [*lines, *bodies]


def ipvs(table: Table, node: str, addresses: Iterable[str]) -> str:
    """`ipvsadm -Ln`. `addresses`: of the node, each of which is a virtual server for a node port."""
    lines = [
        "IP Virtual Server version 1.2.1 (size=4096)",
        "Prot LocalAddress:Port Scheduler Flags",
        "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn",
    ]
    for rule in _sorted(table):
        for address in addresses if rule.address == ANY else (rule.address,):
            flags = f" persistent {rule.affinity}" if rule.affinity else ""
            lines.append(f"{rule.protocol}  {address}:{rule.port} rr{flags}")
            for one in candidates_of(rule, node):
                lines.append(f"  -> {f'{one.address}:{one.port}':<28} Masq    1      0          0         ")
    return "\n".join([*lines, ""])


def nftables(table: Table, node: str) -> str:
    """`nft list table ip kube-proxy`."""
    services, ports, none, chains = [], [], [], []
    done: set[str] = set()
    for rule in _sorted(table):
        protocol, candidates = rule.protocol.lower(), candidates_of(rule, node)
        name = f"service-{_hash(rule.service + protocol)[:8]}-{rule.service.replace(':', '/')}/{protocol}"
        if not candidates:
            fate = "drop" if rule.local and rule.endpoints else "goto reject-chain"
            key = f"{protocol} . {rule.port}"
            key = key if rule.kind == NODE_PORT else f"{rule.address} . {key}"
            none.append(f'\t\t\t     {key} comment "{rule.service}" : {fate}')
            continue
        if rule.kind == NODE_PORT:
            ports.append(f"\t\t\t     {protocol} . {rule.port} : goto {name}")
        else:
            services.append(f"\t\t\t     {rule.address} . {protocol} . {rule.port} : goto {name}")
        if name not in done:
            done.add(name)
            targets = ", ".join(f"{place} : {one.address} . {one.port}" for place, one in enumerate(candidates))
            chains.append(
                f"\tchain {name} {{\n\t\tmeta l4proto {protocol} dnat ip to numgen random mod {len(candidates)} map"
                f" {{ {targets} }}\n\t}}\n"
            )
    return "\n".join([
        "table ip kube-proxy {", '\tcomment "rules for kube-proxy"', "",
        *_nft_map("service-ips", "ipv4_addr . inet_proto . inet_service", services),
        *_nft_map("service-nodeports", "inet_proto . inet_service", ports),
        *_nft_map("no-endpoint-services", "ipv4_addr . inet_proto . inet_service", none),
        *chains, "}", "",
    ])  # fmt: skip


def _nft_map(name: str, type_: str, elements: list[str]) -> list[str]:
    listed = [f"\t\telements = {{ {','.join(elements).lstrip()} }}".replace(",\t", ",\n\t")] if elements else []
    return [f"\tmap {name} {{", f"\t\ttype {type_} : verdict", *listed, "\t}", ""]
