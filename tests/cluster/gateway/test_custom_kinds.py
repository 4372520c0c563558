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


TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def test_tables_and_their_watches_have_the_kinds_own_columns(crontabs):
    listed = fetch(PATH, accept=TABLE).json()
    assert [column["name"] for column in listed["columnDefinitions"]] == ["Name", "Spec", "Replicas", "Age"]
    assert listed["rows"][0]["cells"][:3] == ["one", "* * * * */5", 1]

    frames = fetch(f"{PATH}?watch=1&timeoutSeconds=1", accept=TABLE).frames()
    assert [frame["object"]["rows"][0]["cells"][0] for frame in frames] == ["one", "two"]
    assert frames[1]["object"]["columnDefinitions"] is None


def test_parts_and_other_forms_of_a_custom_object(crontabs):
    crontabs.patch(a_crontab("one"), {"status": {"replicas": 1}}, "status")

    assert fetch(f"{PATH}/one/status").json()["status"] == {"replicas": 1}
    assert fetch(f"{PATH}/one/scale").json()["spec"] == {"replicas": 1}
    partial = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
    assert fetch(f"{PATH}/one", accept=partial).json()["kind"] == "PartialObjectMetadata"
    assert b"kind: CronTab" in fetch(f"{PATH}/one", accept="application/yaml").body
    protobuf = "application/vnd.kubernetes.protobuf,application/json"
    assert fetch(f"{PATH}/one", accept=protobuf).json()["kind"] == "CronTab"


def test_a_new_column_and_a_new_default_show_at_once(crontabs):
    version = a_crontab_definition()["spec"]["versions"][0]
    columns = [{"name": "Zone", "type": "string", "jsonPath": ".spec.zone"}]
    spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
    zoned = {**spec, "properties": {**spec["properties"], "zone": {"type": "string", "default": "north"}}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": zoned}}}
    changed = {**version, "schema": schema, "additionalPrinterColumns": columns}

    crontabs.patch(a_crontab_definition(), {"spec": {"versions": [changed]}})

    assert fetch(f"{PATH}/one").json()["spec"]["zone"] == "north"
    assert fetch(PATH, accept=TABLE).json()["rows"][0]["cells"] == ["one", "north"]
    document = fetch("/openapi/v3/apis/stable.example.com/v1").json()
    crontab = document["components"]["schemas"]["com.example.stable.v1.CronTab"]
    assert crontab["properties"]["spec"]["properties"]["zone"] == {"type": "string", "default": "north"}
