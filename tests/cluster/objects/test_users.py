"""Users as plain data: groups follow from names, inputs hold them, and old inputs still say who acted."""

import json

import pytest

from cluster.objects import users
from cluster.objects.users import User


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("system:kube-scheduler", ("system:authenticated",)),
        ("system:node:worker-1", ("system:nodes", "system:authenticated")),
        (
            "system:serviceaccount:kube-system:deployment-controller",
            ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated"),
        ),
        ("system:serviceaccount:broken", ("system:authenticated",)),
    ],
)
def test_the_groups_of_a_component_follow_from_its_name(name, groups):
    assert users.named(name) == User(name, groups)


def test_a_user_survives_being_recorded():
    alice = User("alice", ("dev", "system:authenticated"), "42", (("scopes", ("a", "b")),))

    assert users.from_plain(json.loads(json.dumps(alice.plain()))) == alice


def test_an_old_input_that_holds_a_bare_name_may_do_all():
    assert users.from_plain("kubernetes-admin").is_master
    assert users.from_plain(None) == users.ADMIN
