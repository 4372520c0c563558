from cluster.engine.cells import Cells


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
