"""Django's entry for the page. Loading it makes our Celery application the current one, also for senders."""

from django.apps import AppConfig

from dashboard import celery


class DashboardConfig(AppConfig):
    name = "dashboard"
    celery = celery.app
