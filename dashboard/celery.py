"""The Celery application: every worker has a queue of its own, so that a world's messages reach whoever holds it.

Results are never stored: answers travel by the inbox's own channel (cluster/inbox.py). One message at a time, and it
is acknowledged early, since a drive message that is lost with its worker is found again by the sweep.
"""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("CELERY_SKIP_CHECKS", "1")  # Django's checks would import every page into every worker.
app = Celery("orrery", broker=settings.BROKER_URL, set_as_current=True)
app.conf.update(
    task_ignore_result=True,
    task_store_errors_even_if_ignored=False,
    worker_prefetch_multiplier=1,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    task_create_missing_queues=True,
    task_default_queue="drive",
    task_serializer="json",
    accept_content=["json"],
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"visibility_timeout": 3600, "socket_timeout": None},
    worker_enable_remote_control=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    timezone="UTC",
)
app.autodiscover_tasks(["cluster"])
