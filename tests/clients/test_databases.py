"""Databases through the real kubectl: rows and the volume that keeps them."""

import time

from tests.clients.test_kubectl import Kubectl, kubectl, namespace_name

__all__ = ["kubectl", "namespace_name"]  # Fixtures.

DATABASE = """
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk-of-NAMESPACE}
spec:
  capacity: {storage: 1Gi}
  accessModes: [ReadWriteOnce]
  hostPath: {path: /mnt/NAMESPACE}
  claimRef: {namespace: NAMESPACE, name: data}
  persistentVolumeReclaimPolicy: Retain
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{port: 3306}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: db}
spec:
  selector: {matchLabels: {app: db}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: mysql
        image: mysql:8.4
        env: [{name: MYSQL_ROOT_PASSWORD, value: secret}, {name: MYSQL_DATABASE, value: shop}]
        readinessProbe: {exec: {command: [mysqladmin, ping, -psecret]}, periodSeconds: 2}
        volumeMounts: [{name: data, mountPath: /var/lib/mysql}]
      volumes:
      - name: data
        VOLUME
"""
CLAIM, EMPTY = "persistentVolumeClaim: {claimName: data}", "emptyDir: {}"


def database(kubectl: Kubectl, volume: str) -> str:
    """Its manifests; the disk waits for the claim of this namespace, since disks are the whole cluster's."""
    return DATABASE.replace("VOLUME", volume).replace("NAMESPACE", kubectl.namespace)


def sql(kubectl: Kubectl, text: str) -> str:
    """Rows of a statement; what went wrong, if it did."""
    done = kubectl.run("exec", "deploy/db", "--", "mysql", "-N", "-psecret", "shop", "-e", text)
    return done.stdout or done.stderr.replace("command terminated with exit code 1\n", "")


def ready(kubectl: Kubectl) -> None:
    kubectl("rollout", "status", "deployment/db", "--timeout=55s")


def pod_replaced(kubectl: Kubectl) -> None:
    kubectl("delete", "pod", "-l", "app=db", "--timeout=50s")
    for _ in range(100):
        if kubectl.run("wait", "--for=condition=Ready", "pod", "-l", "app=db", "--timeout=50s").returncode == 0:
            return
        time.sleep(0.2)


def test_rows_outlive_the_pod_as_long_as_their_volume_does(kubectl):
    kubectl("apply", "-f", "-", stdin=database(kubectl, CLAIM))
    ready(kubectl)
    sql(kubectl, "create table guests (id int auto_increment primary key, name varchar(20)); insert into guests (name)"
        " values ('Ann'), ('José')")  # fmt: skip
    pod_replaced(kubectl)
    assert sql(kubectl, "select name from guests order by id") == "Ann\nJosé\n"
    count = ("mysql", "-hdb", "-psecret", "-N", "shop", "-e", "select count(*) from guests")
    seen = kubectl("run", "client", "--image=mysql:8.4", "--rm", "-i", "--restart=Never", "--", *count)
    assert "2" in seen.splitlines()

    kubectl("apply", "-f", "-", stdin=database(kubectl, EMPTY))
    ready(kubectl)
    assert "Table 'shop.guests' doesn't exist" in sql(kubectl, "select name from guests")
    sql(kubectl, "create table guests (id int)")
    pod_replaced(kubectl)
    assert "Table 'shop.guests' doesn't exist" in sql(kubectl, "select * from guests")
    kubectl("delete", "pv", f"disk-of-{kubectl.namespace}", "--wait=false")


def test_a_script_that_was_copied_in_is_run_from_standard_input_too(kubectl, tmp_path):
    kubectl("run", "db", "--image=postgres:17", "--env=POSTGRES_PASSWORD=secret")
    kubectl("wait", "--for=condition=Ready", "pod/db", "--timeout=50s")
    until = "until pg_isready -q; do sleep 1; done"
    kubectl("exec", "db", "--", "sh", "-c", until)
    script = tmp_path / "shop.sql"
    script.write_text("create table t (id serial primary key, name text);\ninsert into t (name) values ('a'), ('b');\n")

    kubectl("cp", str(script), "db:/tmp/shop.sql")
    assert kubectl("exec", "db", "--", "psql", "-U", "postgres", "-f", "/tmp/shop.sql") == "CREATE TABLE\nINSERT 0 2\n"
    found = kubectl(
        "exec", "-i", "db", "--", "psql", "-U", "postgres", "-At", stdin="select name from t order by id;\n"
    )
    assert found == "a\nb\n"
