"""Resource quantities."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.objects import quantity


@pytest.mark.parametrize(
    ("given_text", "stored"),
    [
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1e3", "1e3"),
        ("2000m", "2"),
        ("1000k", "1M"),
        ("0", "0"),
    ],
)
def test_a_quantity_is_stored_in_its_canonical_form(given_text, stored):
    assert quantity.canonical(given_text) == stored


@given(st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,3})?(k|M|G|Ki|Mi|Gi)?", fullmatch=True))
def test_the_canonical_form_is_worth_the_same_and_stays_as_it_is(text):
    canonical = quantity.canonical(text)

    assert quantity.parse(canonical)[0] == quantity.parse(text)[0]
    assert quantity.canonical(canonical) == canonical


def test_cpu_is_rounded_up_to_thousandths_and_memory_to_bytes():
    assert (quantity.milli("0.0001"), quantity.value("1500m")) == (1, 2)


@pytest.mark.parametrize("text", ["", "x", "1.2.3", "1 Gi", "--1", "5gb"])
def test_what_is_no_quantity_is_refused_by_name(text):
    with pytest.raises(ValueError, match=r"is not a number with one of"):
        quantity.parse(text)
