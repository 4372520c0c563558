"""Where web-ui is, and which of its pods answers there.

    /clusters/<name>/ui/…                                                       its own address; any pod that is ready
    …/api/v1/namespaces/kube-system/services/http:web-ui:/proxy/…               through the API server
    http://localhost:8080/…   by kubectl port-forward -n kube-system svc/web-ui 8080:80

All three lead to the same pages, so every link on a page is relative to `base`.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from django.http import HttpRequest

from cluster import backends, inbox
from cluster.apiserver.aggregation import Unavailable
from cluster.apiserver.reads import Reader
from cluster.gateway import computed
from cluster.gateway.site import Site
from cluster.objects import Manifest

WEBUI = re.compile(r"/clusters/([^/]+)/ui/(.*)$", re.DOTALL)
PROGRAM = "dashboard"
NAMESPACE, SERVICE = "kube-system", "web-ui"


class Answering(NamedTuple):
    """The pod, and the cluster's time in microseconds since 1970."""

    pod: Manifest
    now: int


def answering(reader: Reader, cluster: str, scope: Mapping[str, Any]) -> Answering:
    """Who answers a connection: the pod that it went to, or any that is ready. Errors: Unavailable."""
    site = Site.of(reader, cluster)
    if site is None:
        raise Unavailable("", f'cluster "{cluster}" not found')
    inbox.follow(cluster)
    chosen = scope.get(computed.POD)
    if chosen is not None:
        namespace, name = chosen
        pod = backends.serving(site, namespace, name, PROGRAM)
    else:
        pod = backends.demand(site, NAMESPACE, SERVICE, PROGRAM)
    return Answering(pod, site.epoch + site.now)


def base(request: HttpRequest) -> str:
    """From a page back to the root, as its links say it.

    >>> from django.test import RequestFactory
    >>> [base(RequestFactory().get(f"/clusters/x/ui/{rest}")) for rest in ("", "create", "api/v1/pods")]
    ['./', './', '../../']
    """
    found = WEBUI.search(request.path_info)
    return "../" * (found[2].count("/") if found else 0) or "./"


def rest(request: HttpRequest) -> str:
    """A page's own address, below the root, with its query."""
    found = WEBUI.search(request.path_info)
    query = request.META.get("QUERY_STRING", "")
    return (found[2] if found else "") + (f"?{query}" if query else "")
