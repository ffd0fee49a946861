"""Progress of long work: what programs and people get to see."""

import io
import json

from store.progress import as_bar, as_json_lines


def test_programs_get_json_lines_not_too_many_and_always_the_last() -> None:
    out = io.StringIO()
    tell = as_json_lines(out)
    for done in range(1001):
        tell("reading", done, 1000)
    lines = [json.loads(line)["progress"] for line in out.getvalue().splitlines()]
    assert lines[0] == {"what": "reading", "done": 0, "of": 1000}
    assert lines[-1] == {"what": "reading", "done": 1000, "of": 1000}
    assert len(lines) < 20


def test_people_get_a_bar_which_ends_its_line_when_full() -> None:
    out = io.StringIO()
    tell = as_bar(out)
    tell("reading", 500, 1000)
    assert "50% of 1,000" in out.getvalue()
    assert "#" * 15 + "." * 15 in out.getvalue()
    tell("reading", 1000, 1000)
    assert out.getvalue().endswith("100% of 1,000\n")


def test_work_of_unknown_length_is_told_too() -> None:
    out = io.StringIO()
    as_bar(out)("checking", 7, 0)
    assert "checking" in out.getvalue()
