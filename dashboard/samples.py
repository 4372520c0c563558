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

LOAD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: php-apache
spec:
  selector:
    matchLabels:
      app: php-apache
  template:
    metadata:
      labels:
        app: php-apache
    spec:
      containers:
      - name: php-apache
        image: registry.k8s.io/hpa-example
        ports:
        - containerPort: 80
        resources:
          requests:
            cpu: 200m
          limits:
            cpu: 500m
---
apiVersion: v1
kind: Service
metadata:
  name: php-apache
spec:
  selector:
    app: php-apache
  ports:
  - port: 80
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: php-apache
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: php-apache
  minReplicas: 1
  maxReplicas: 10
  metrics:
  - type: Resource
    resource:
      name: cpu
      target:
        type: Utilization
        averageUtilization: 50
---
apiVersion: v1
kind: Pod
metadata:
  name: load-generator
spec:
  containers:
  - name: load
    image: busybox:1.37
    command: ["sh", "-c", "while sleep 0.1; do wget -q -O- http://php-apache; done"]
"""

ILL = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: flaky
spec:
  replicas: 3
  selector:
    matchLabels:
      app: flaky
  template:
    metadata:
      labels:
        app: flaky
    spec:
      containers:
      - name: flaky
        image: orrery/flaky
        env:
        - name: PERIOD_SECONDS
          value: "60"
        - name: FAIL_SECONDS
          value: "20"
        ports:
        - containerPort: 8080
        readinessProbe:
          httpGet:
            path: /
            port: 8080
          periodSeconds: 2
          failureThreshold: 2
---
apiVersion: v1
kind: Service
metadata:
  name: flaky
spec:
  selector:
    app: flaky
  ports:
  - port: 80
    targetPort: 8080
"""

POLICY = """\
apiVersion: v1
kind: Pod
metadata:
  name: db
  labels:
    app: db
spec:
  containers:
  - name: redis
    image: redis:8
    ports:
    - containerPort: 6379
---
apiVersion: v1
kind: Service
metadata:
  name: db
spec:
  selector:
    app: db
  ports:
  - port: 6379
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: only-the-api
spec:
  podSelector:
    matchLabels:
      app: db
  ingress:
  - from:
    - podSelector:
        matchLabels:
          role: api
---
apiVersion: v1
kind: Pod
metadata:
  name: api
  labels:
    role: api
spec:
  containers:
  - name: main
    image: busybox:1.37
    command: ["sh", "-c", "while sleep 5; do nc -zv -w 2 db 6379; done"]
---
apiVersion: v1
kind: Pod
metadata:
  name: stranger
spec:
  containers:
  - name: main
    image: busybox:1.37
    command: ["sh", "-c", "while sleep 5; do nc -zv -w 2 db 6379; done"]
"""

SAMPLES = (
    Sample("web", _("A web app"), _("4 replicas and a Service"), "layers", WEB),
    Sample("shop", _("A shop with a budget"), _("2 carts that must not both go"), "box", SHOP),
    Sample("crash", _("One that crashes"), _("watch the back-off grow"), "activity", CRASH),
    Sample("too-big", _("One that fits nowhere"), _("ask Why it is Pending"), "scale-3d", HUGE),
    Sample("logger", _("One that logs"), _("a line every 5 seconds"), "scroll-text", LOGGER),
    Sample("load", _("One under load"), _("an autoscaler follows"), "gauge", LOAD),
    Sample("ill", _("One that falls ill"), _("its Service leaves it out"), "wrench", ILL),
    Sample("policy", _("Who may talk to whom"), _("see the pod's Network tab"), "ban", POLICY),
)
BY_NAME = {sample.name: sample for sample in SAMPLES}
