"""Which form of an answer, by the Accept header, against what a real API server chose."""

import json
from pathlib import Path

import pytest

from cluster.apiserver.negotiate import Format, encode, error_format, negotiate
from cluster.objects import errors

GOLDEN = Path(__file__).parents[2] / "golden" / "listwatch" / "negotiation.json"
CASES = [c for c in json.loads(GOLDEN.read_text()) if "path" in c]
PROTOBUF = "application/vnd.kubernetes.protobuf"


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{'watch' if 'watch' in c['path'] else 'get'} {c['accept']}")
def test_the_recorded_form_is_chosen_or_json_for_protobuf(case):
    accept, watch = case["accept"] or "", "watch=1" in case["path"]
    recorded = case["headers"]["Content-Type"].split(";")[0]
    if accept == PROTOBUF:  # We never answer in protobuf, and no client takes nothing else.
        return

    try:
        media, status = negotiate(accept, watch).media, 200
    except errors.NotAcceptable as refused:
        body = encode(error_format(accept)._replace(pretty=True), refused.status_object())
        media, status = error_format(accept).media, 406
        assert body.decode().startswith(case["bodyStart"])
        assert len(body) == int(case["headers"]["Content-Length"])

    assert status == case["status"]
    assert media == ("application/json" if recorded == PROTOBUF else recorded)


def test_kubectl_gets_a_table():
    table = "application/json;as=Table;v={};g=meta.k8s.io"
    accept = f"{table.format('v1')},{table.format('v1beta1')},application/json"

    assert negotiate(accept) == Format(transform="Table")


def test_a_transformation_nobody_knows_is_refused_unless_something_else_will_do():
    unknown = "application/json;as=Nope;v=v1;g=meta.k8s.io"

    with pytest.raises(errors.NotAcceptable, match=r"^only the following media types are accepted: application/json"):
        negotiate(unknown)
    assert negotiate(unknown + ",application/json") == Format()


def test_a_wildcard_over_all_applications_is_refused_as_in_the_real_one():
    with pytest.raises(errors.NotAcceptable, match=r"^406: Not Acceptable"):
        negotiate("application/*")


def test_the_better_quality_wins():
    assert negotiate("application/json;q=0.1,application/yaml;q=0.9").media == "application/yaml"
    assert negotiate("application/json;q=broken,application/yaml").media == "application/yaml"


def test_yaml_keeps_strings_strings():
    obj = {"b": "1", "a": "true", "t": "2026-11-22T22:44:17Z", "text": "x\ny\n"}

    assert encode(Format("application/yaml"), obj) == (
        b'a: "true"\nb: "1"\nt: "2026-11-22T22:44:17Z"\ntext: |\n  x\n  y\n'
    )
