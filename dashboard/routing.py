"""Websocket addresses of the page."""

from django.urls import path

from dashboard.consumers import ClusterStream

websocket_urlpatterns = [path("clusters/<slug:cluster>/stream", ClusterStream.as_asgi())]
