"""kube-proxy: on every node, rules that turn a Service's address into the address of one of its pods.

    rules.py   what a node's kernel does with a packet: compiled from Services and EndpointSlices
    views.py   the same rules as `iptables-save`, `ipvsadm -Ln` and `nft list ruleset` show them

A node's rules follow the API objects for as long as a container with kube-proxy's image runs there. When the last one
ends, what was there then stays in the machine's cell (`proxy`), as rules stay in a kernel: stale, but not gone. A
reboot empties them.

Mirrors:  kubernetes/pkg/proxy
Left out: the delay of a second between two syncs; connection tracking.
"""
