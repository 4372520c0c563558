"""Tables against what a real API server printed."""

import json
from pathlib import Path

import pytest

from cluster.apiserver import table
from cluster.apiserver.table.durations import human
from cluster.objects import errors, times

GOLDEN = Path(__file__).parents[2] / "golden" / "tables"
FILES = sorted(file for file in GOLDEN.glob("*.json") if file.stem != "misc_requests")
MISC = {case["name"]: case for case in json.loads((GOLDEN / "misc_requests.json").read_text())}
SECOND = times.SECOND


def kind_of(file):
    api_version, kind = file.stem.rsplit("_", 1)
    return api_version.rpartition("_")[0], kind


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_columns_are_the_recorded_ones(file):
    recorded, ours = json.loads(file.read_text())["columnDefinitions"], table.definitions(*kind_of(file))

    for mine, theirs in zip(ours, recorded, strict=True):
        if (file.stem, mine["name"]) in OWN_WORDS:
            mine, theirs = {**mine, "description": ""}, {**theirs, "description": ""}
        assert mine == theirs


# Columns that the real server still explains in the words of an older version of the API, which our source has not.
OWN_WORDS = {("certificates.k8s.io_v1_CertificateSigningRequest", "SignerName")}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_there_is_a_moment_at_which_every_row_is_as_recorded(file):
    group, kind = kind_of(file)
    rows = [row for row in json.loads(file.read_text())["rows"] if "objectFull" in row]
    wanted = [(row["cells"], row.get("conditions", [])) for row in rows]
    objects = [row["objectFull"] for row in rows]

    def printed(now):
        return [(r["cells"], r.get("conditions", [])) for r in table.table(group, kind, objects, now, {})["rows"]]

    assert not rows or any(printed(now) == wanted for now in moments(objects)), printed(moments(objects)[0])


def moments(objects):
    newest = max(times.parse(obj["metadata"]["creationTimestamp"]) for obj in objects)
    return [newest + seconds * SECOND for seconds in range(120)]


def test_a_row_carries_only_the_metadata_unless_more_or_less_is_asked():
    pod = {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "p"}, "spec": {"containers": []}, "status": {}}

    def carried(include):
        return table.table("", "Pod", [pod], 0, {}, include)["rows"][0]["object"]

    assert carried("") == {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": {"name": "p"}}
    assert carried("Object") == pod
    assert carried("None") is None


def test_an_unknown_include_object_is_refused_in_the_real_words():
    recorded = MISC["includeObject bogus"]["response"]["body"]

    with pytest.raises(errors.BadRequest) as refused:
        table.check_include("Bogus")

    assert refused.value.status_object() == recorded


def test_an_empty_table_has_columns_and_no_rows():
    recorded = MISC["empty list as Table"]["response"]["body"]

    empty = table.table("", "Pod", [], 0, recorded["metadata"])

    assert empty["rows"] == recorded["rows"]
    assert empty["columnDefinitions"] == recorded["columnDefinitions"]


def test_a_scale_prints_what_is_desired_and_what_is_there():
    recorded = MISC["scale as Table"]["response"]["body"]
    metadata = recorded["rows"][0]["object"]["metadata"]
    scale = {"kind": "Scale", "metadata": metadata, "spec": {"replicas": 2}, "status": {"replicas": 0}}

    printed = table.table("autoscaling", "Scale", [scale], times.parse(metadata["creationTimestamp"]) + 5 * SECOND, {})

    assert printed["rows"][0]["cells"] == recorded["rows"][0]["cells"]
    assert printed["columnDefinitions"] == recorded["columnDefinitions"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (8 * 3600 - 1, "7h59m"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (50 * 3600, "2d2h"),
        (8 * 86400, "8d"),
        (3 * 365 * 86400 + 86400, "3y1d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_ages_have_at_most_two_units(seconds, text):
    assert human(seconds * SECOND) == text
