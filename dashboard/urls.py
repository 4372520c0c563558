"""Addresses of pages, panels and clicks. The Kubernetes API never comes this way: see asgi.py."""

from django.http import HttpRequest, HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from dashboard import views
from dashboard.webui import views as webui


def language(request: HttpRequest, cluster: str) -> HttpResponseBase:
    """set_language, at an address that web-ui's pages reach from wherever they are."""
    return set_language(request)


urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.home, name="home"),
    path("i18n/", include("django.conf.urls.i18n")),
    path("view/<slug:cluster>/", views.page, name="page"),
    path("view/<slug:cluster>/panel/<slug:name>", views.panel, name="panel"),
    path("view/<slug:cluster>/chart/<slug:name>", views.chart, name="chart"),
    path("view/<slug:cluster>/graphs", views.graphs, name="graphs"),
    path("view/<slug:cluster>/act/<slug:name>", views.act, name="act"),
    path("clusters/<slug:cluster>/ui/", webui.overview, name="webui"),
    path("clusters/<slug:cluster>/ui/create", webui.create, name="webui-create"),
    path("clusters/<slug:cluster>/ui/language", language, name="webui-language"),
    path("clusters/<slug:cluster>/ui/drain/<str:node>", webui.drain, name="webui-drain"),
    path("clusters/<slug:cluster>/ui/chart/<slug:name>", webui.chart, name="webui-chart"),
    path("clusters/<slug:cluster>/ui/log.txt", webui.log, name="webui-log"),
    path("clusters/<slug:cluster>/ui/<path:api>", webui.show, name="webui-show"),
]
