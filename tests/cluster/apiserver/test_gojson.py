"""JSON as Go reads it, and what Go says when it can't."""

import pytest

from cluster.apiserver import gojson


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "unexpected end of JSON input"),
        ("nope", "invalid character 'o' in literal null (expecting 'u')"),
        ("{a}", "invalid character 'a' looking for beginning of object key string"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a":1 2}', "invalid character '2' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("{} x", "invalid character 'x' after top-level value"),
        ('{"a":"\n"}', "invalid character '\\n' in string literal"),
    ],
)
def test_broken_json_is_told_in_gos_words(text, said):
    with pytest.raises(gojson.GoSyntaxError) as refused:
        gojson.loads(text)

    assert str(refused.value) == said


def test_duplicate_keys_are_told_with_their_path():
    assert gojson.loads('{"data":{"a":"1","a":"2"}}') == ({"data": {"a": "2"}}, ["data.a"])


def test_numbers_beyond_64_bits_become_floats():
    assert gojson.loads("[9223372036854775807, 92233720368547758070]")[0] == [2**63 - 1, 9.223372036854776e19]
