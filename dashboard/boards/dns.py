"""CoreDNS: who asks for names, and what it answers."""

from django.utils.translation import gettext_lazy as _

from dashboard.boards.board import MILLICORES, PER_SECOND, Board, Graph, Line, Stat

BOARD = Board(
    name="dns",
    title="CoreDNS",
    about=_("Names of Services become addresses here. Without it almost everything seems broken at once."),
    stats=(
        Stat(_("Servers up"), 'sum(up{job="coredns"})'),
        Stat(_("Questions a second"), "sum(rate(coredns_dns_requests_total[$__rate_interval]))", PER_SECOND),
    ),
    graphs=(
        Graph(
            _("Questions by type"),
            _("A asks for an IPv4 address, AAAA for an IPv6 one, SRV also for a port."),
            PER_SECOND,
            (Line("sum by (type) (rate(coredns_dns_requests_total[$__rate_interval]))", "{{type}}"),),
        ),
        Graph(
            _("Answers by code"),
            _("NXDOMAIN, no such name, is common: a short name is tried with each search domain in turn."),
            PER_SECOND,
            (Line("sum by (rcode) (rate(coredns_dns_responses_total[$__rate_interval]))", "{{rcode}}"),),
        ),
        Graph(
            _("Questions by server"),
            _("Two pods share the work; if one dies, clients wait for a timeout before they try the other."),
            PER_SECOND,
            (Line("sum by (instance) (rate(coredns_dns_requests_total[$__rate_interval]))", "{{instance}}"),),
        ),
        Graph(
            _("CPU by pod"),
            _("Each question costs a little. One pod far above the other gets more of them."),
            MILLICORES,
            (
                Line(
                    "sum by (pod) (rate(container_cpu_usage_seconds_total"
                    '{namespace="kube-system",pod=~"coredns-.+"}[$__rate_interval])) * 1000',
                    "{{pod}}",
                ),
            ),
        ),
    ),
)
