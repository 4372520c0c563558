"""Custom kinds over HTTP: served from committed rows as soon as their definition is established."""

import pytest

from tests.cluster.apiserver.custom.definitions import a_crontab, a_crontab_definition
from tests.cluster.gateway.asgi import fetch

PATH = "/apis/stable.example.com/v1/namespaces/default/crontabs"


@pytest.fixture
def crontabs(lab):
    lab.create(a_crontab_definition())
    lab.run_for(1)
    for name in ("one", "two"):
        lab.create(a_crontab(name))
    return lab


def test_custom_objects_are_got_listed_and_watched(crontabs):
    assert fetch(f"{PATH}/one").json()["spec"]["cronSpec"] == "* * * * */5"
    listed = fetch(PATH).json()
    assert (listed["kind"], [item["metadata"]["name"] for item in listed["items"]]) == ("CronTabList", ["one", "two"])
    frames = fetch(f"{PATH}?watch=1&timeoutSeconds=1").frames()
    assert [frame["object"]["metadata"]["name"] for frame in frames] == ["one", "two"]


def test_a_kind_appears_in_documents_with_its_definition_and_goes_with_it(crontabs):
    assert "/apis/stable.example.com/v1" in fetch("/").json()["paths"]
    assert fetch("/apis/stable.example.com").json()["preferredVersion"]["version"] == "v1"
    assert "apis/stable.example.com/v1" in fetch("/openapi/v3").json()["paths"]

    crontabs.delete(a_crontab_definition())
    crontabs.run_for(20)

    assert fetch(PATH).status == 404
    assert fetch("/apis/stable.example.com").status == 404
    assert "apis/stable.example.com/v1" not in fetch("/openapi/v3").json()["paths"]


def test_an_unknown_kind_of_a_custom_group_is_not_found(crontabs):
    assert fetch("/apis/stable.example.com/v1/others").json()["reason"] == "NotFound"
    assert fetch("/apis/other.example.com/v1/others").body == b"404 page not found\n"
