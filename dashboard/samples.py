"""Manifests that are ready to apply. Each shows one idea, and each works in a cluster that has just been
made.
"""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Sample:
    """`text` is applied as it is; people may change it before."""

    name: str
    title: str | Promise
    hint: str | Promise
    icon: str
    text: str


WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 4
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
      - name: nginx
        image: nginx:1.29
        ports:
        - containerPort: 80
        resources:
          requests:
            cpu: 250m
            memory: 128Mi
---
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector:
    app: web
  ports:
  - port: 80
"""

SHOP = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: cart
  namespace: shop
spec:
  replicas: 2
  selector:
    matchLabels:
      app: cart
  template:
    metadata:
      labels:
        app: cart
    spec:
      containers:
      - name: redis
        image: redis:8
        resources:
          requests:
            cpu: 100m
            memory: 256Mi
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: cart
  namespace: shop
spec:
  minAvailable: 1
  selector:
    matchLabels:
      app: cart
"""

CRASH = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: crash
spec:
  replicas: 1
  selector:
    matchLabels:
      app: crash
  template:
    metadata:
      labels:
        app: crash
    spec:
      containers:
      - name: main
        image: busybox:1.37
        command: ["sh", "-c", "echo starting; sleep 3; echo giving up; exit 1"]
"""

HUGE = """\
apiVersion: v1
kind: Pod
metadata:
  name: too-big
spec:
  containers:
  - name: main
    image: nginx:1.29
    resources:
      requests:
        cpu: "64"
        memory: 512Gi
"""

LOGGER = """\
apiVersion: v1
kind: Pod
metadata:
  name: logger
spec:
  containers:
  - name: main
    image: busybox:1.37
    command: ["sh", "-c", "while true; do date; sleep 5; done"]
"""

SAMPLES = (
    Sample("web", _("A web app"), _("4 replicas and a Service"), "layers", WEB),
    Sample("shop", _("A shop with a budget"), _("2 carts that must not both go"), "box", SHOP),
    Sample("crash", _("One that crashes"), _("watch the back-off grow"), "activity", CRASH),
    Sample("too-big", _("One that fits nowhere"), _("ask Why it is Pending"), "scale-3d", HUGE),
    Sample("logger", _("One that logs"), _("a line every 5 seconds"), "scroll-text", LOGGER),
)
BY_NAME = {sample.name: sample for sample in SAMPLES}
