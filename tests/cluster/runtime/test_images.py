"""What image references stand for."""

import pytest

from cluster.runtime import images
from cluster.runtime.containers import StartError, argv_of, program_for


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("acme/shop:2", "docker.io/acme/shop:2"),
        ("docker.io/redis:6.0.5", "docker.io/library/redis:6.0.5"),
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop:latest"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
    ],
)
def test_short_names_are_completed_as_docker_does(reference: str, name: str):
    assert images.resolve(reference).name == name


def test_a_name_that_is_no_reference_is_refused():
    with pytest.raises(images.InvalidImageName, match="invalid reference format"):
        images.resolve("Nginx!")


def test_a_known_image_with_a_made_up_tag_is_not_in_the_registry():
    with pytest.raises(images.PullError, match="nginx:bad: not found"):
        images.check(images.resolve("nginx:bad"))

    images.check(images.resolve("nginx:1.27-alpine"))
    images.check(images.resolve("acme/shop:bad"))


def test_an_unknown_image_runs_the_generic_server():
    image = images.resolve("acme/shop:2")

    assert program_for(image, argv_of(image, ["/app/server"], None)) == "generic"


def test_a_shell_command_runs_in_any_image():
    for reference in ("nginx", "busybox", "acme/shop"):
        image = images.resolve(reference)
        assert program_for(image, argv_of(image, ["sh", "-c"], ["sleep 1"])) == "busybox"


def test_arguments_alone_go_to_the_image_s_own_program():
    image = images.resolve("redis")

    assert argv_of(image, None, ["--port", "7000"]) == ("redis-server", "--port", "7000")
    assert program_for(image, argv_of(image, None, ["--port", "7000"])) == "redis"


def test_a_program_that_the_image_lacks_cannot_start():
    image = images.resolve("nginx")

    with pytest.raises(StartError, match=r'exec: "serve": executable file not found in \$PATH'):
        program_for(image, ("serve",))
