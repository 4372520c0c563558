from datetime import UTC, datetime

from cluster.logstore import klog

MOMENT = datetime(2026, 11, 25, 19, 41, 23, 42, tzinfo=UTC)


def test_a_line_has_klogs_header_and_quoted_values():
    values: dict[str, klog.Value] = {"pod": "default/web-1", "evaluatedNodes": 3, "ready": True, "err": 'no "x"'}

    assert klog.line("E", MOMENT, "schedule_one.go:314", "Bound", values) == (
        'E1125 19:41:23.000042       1 schedule_one.go:314] "Bound" '
        'pod="default/web-1" evaluatedNodes=3 ready=true err="no \\"x\\""'
    )


def test_a_value_of_several_lines_is_indented():
    assert klog.line("I", MOMENT, "a.go:1", "m", {"err": "one\ntwo"}).endswith('"m" err=<\n\tone\n\ttwo\n >')
