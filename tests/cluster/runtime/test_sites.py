"""Tutorials with a database behind a site: WordPress with MySQL, the guestbook with redis."""

from typing import Any

from tests.builders import TestCluster, a_cluster, a_deployment, a_pod, a_service
from tests.cluster.kubelet.test_sessions import exec_, printed


def a_site(*objects: dict[str, Any]) -> TestCluster:
    cluster = a_cluster(nodes=2, addons=["kube-proxy", "coredns"])
    for one in (*objects, a_pod("browser", "curlimages/curl", command=["sleep", "100000"])):
        cluster.create(one)
    return cluster.run_for(150)


def curl(cluster: TestCluster, command: str) -> str:
    return printed(cluster, exec_(cluster, "browser", "sh", "-c", f"curl -s {command}"))


def a_labelled(name: str, image: str, env: dict[str, str], **more: Any) -> dict[str, Any]:
    variables = [{"name": key, "value": value} for key, value in env.items()]
    pod = a_pod(name, image, env=variables, restartPolicy="Always", **more)
    pod["metadata"]["labels"] = {"app": name}
    return pod


def a_blog(**env: str) -> dict[str, Any]:
    return a_labelled("blog", "wordpress:6.2.1-apache", {"WORDPRESS_DB_HOST": "blog-mysql", **env})


MYSQL = a_labelled("blog-mysql", "mysql:8.0", {
    "MYSQL_ROOT_PASSWORD": "root", "MYSQL_DATABASE": "wordpress", "MYSQL_USER": "wordpress", "MYSQL_PASSWORD": "secret",
})  # fmt: skip
MYSQL["spec"] |= {"volumes": [{"name": "data", "hostPath": {"path": "/mnt/mysql"}}], "nodeName": "worker-1"}
MYSQL["spec"]["containers"][0]["volumeMounts"] = [{"name": "data", "mountPath": "/var/lib/mysql"}]
USER = {"WORDPRESS_DB_USER": "wordpress", "WORDPRESS_DB_PASSWORD": "secret"}


def test_wordpress_without_its_database_says_so():
    cluster = a_site(a_service("blog", 80), a_service("blog-mysql", 3306), a_blog(**USER))

    said = curl(cluster, "-w '%{http_code}' http://blog/")

    assert "Error establishing a database connection" in said
    assert said.endswith("500")


def test_wordpress_with_a_wrong_password_says_so_too():
    wrong = {**USER, "WORDPRESS_DB_PASSWORD": "no"}
    cluster = a_site(a_service("blog", 80), a_service("blog-mysql", 3306), MYSQL, a_blog(**wrong))

    assert "Error establishing a database connection" in curl(cluster, "http://blog/")


def test_wordpress_installs_itself_and_its_posts_outlive_both_pods():
    cluster = a_site(a_service("blog", 80), a_service("blog-mysql", 3306), MYSQL, a_blog(**USER))
    assert "Location: /wp-admin/install.php" in curl(cluster, "-i http://blog/")
    assert "five-minute WordPress installation" in curl(cluster, "http://blog/wp-admin/install.php")

    form = "weblog_title=My+Blog&user_name=ann&admin_email=ann%40example.org"
    assert "Success!" in curl(cluster, f"-d '{form}' 'http://blog/wp-admin/install.php?step=2'")

    for pod in (MYSQL, a_blog(**USER)):
        cluster.delete(pod)
    cluster.run_for(40)
    for pod in (MYSQL, a_blog(**USER)):
        cluster.create(pod)
    cluster.run_for(60)
    page = curl(cluster, "http://blog/")
    assert "<h1>My Blog</h1>" in page
    assert "Hello world!" in page


def test_what_is_written_into_the_guestbook_is_read_from_a_follower():
    registry = "us-docker.pkg.dev/google-samples/containers/gke"
    leader = a_labelled("redis-leader", "docker.io/redis:6.0.5", {})
    cluster = a_site(
        a_service("redis-leader", 6379), a_service("redis-follower", 6379), a_service("frontend", 80), leader,
        a_labelled("frontend", f"{registry}/gb-frontend:v5", {"GET_HOSTS_FROM": "dns"}),
    )  # fmt: skip
    follower = a_deployment("redis-follower", 2, f"{registry}/gb-redis-follower:v2")
    cluster.create(follower)
    cluster.run_for(60)

    assert "Guestbook" in curl(cluster, "http://frontend/")
    assert curl(cluster, "'http://frontend/guestbook.php?cmd=set&key=messages&value=,hello'") == '{"message":"Updated"}'
    assert curl(cluster, "'http://frontend/guestbook.php?cmd=get&key=messages'") == '{"data":",hello"}'
    leader_said = printed(cluster, exec_(cluster, "redis-leader", "redis-cli", "info", "replication"))
    assert "connected_slaves:2" in leader_said
