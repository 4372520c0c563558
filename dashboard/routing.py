"""Websocket addresses of the page."""

from django.urls import path

from dashboard.consumers import ClusterStream
from dashboard.webui import terminal

websocket_urlpatterns = [
    path("clusters/<slug:cluster>/stream", ClusterStream.as_asgi()),
    path("clusters/<slug:cluster>/ui/exec", terminal.application),  # type: ignore[arg-type]
]
