"""Addresses of pages, panels and clicks. The Kubernetes API never comes this way: see asgi.py."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
