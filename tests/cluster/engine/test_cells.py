from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from cluster.engine import cells as cells_module
from cluster.engine.cells import Cells

KEYS = ("a", "a/1", "a/2", "a0", "ab", "b", "b/out/1", "b/out/2")


def test_a_turn_saves_only_what_it_touched():
    cells = Cells({"a": 1, "b": 2})
    cells["a"] = 3
    del cells["b"]

    assert cells.take_changes() == {"a": 3, "b": None}
    assert cells.take_changes() == {}


def test_what_came_and_went_within_one_turn_needs_no_write():
    cells = Cells()
    cells["a"] = 1
    del cells["a"]

    assert cells.take_changes() == {}


def test_a_section_sees_only_its_own_cells():
    cells = Cells({"x|1": "a", "y|1": "b"})
    section = cells.section("x|")
    section["2"] = "c"

    assert dict(section.items()) == {"1": "a", "2": "c"}
    assert "x|2" in cells


moves = st.lists(st.tuples(st.sampled_from(["set", "drop", "look"]), st.sampled_from(KEYS)), max_size=60)


@given(moves, st.integers(0, 3))
def test_cells_are_found_by_prefix_whatever_came_and_went_since_the_last_look(moves, most):
    cells = Cells({"a/1": 0, "b": 0})
    with patch.object(cells_module, "MOST_MOVES", most):
        for what, key in moves:
            if what == "set":
                cells[key] = 1
            elif what == "drop":
                cells.pop(key)
            else:
                assert [name for name, _ in cells.prefixed(key)] == sorted(k for k in cells.data if k.startswith(key))
