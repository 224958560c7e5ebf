"""Plans that somebody else wrote: every one ends within bounds, as a plan or as one message."""

from __future__ import annotations

import pytest

from pipeline.errors import PlanError
from pipeline.plan import bounds
from pipeline.plan.load import load_plan

LETTERS = "bcdefghij"


def doubled(first: str, line: str) -> str:
    """Each letter's value holds the one before it ten times."""
    return "\n".join(
        [f"a: &a {first}", *(line.format(n, ",".join([f"*{p}"] * 10)) for p, n in zip("a" + LETTERS, LETTERS, strict=False))]
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(doubled("[x]", "{0}: &{0} [{1}]"), "more than 100,000 values", id="aliases"),
        pytest.param(doubled("{x: 1}", "{0}: &{0} {{<<: [{1}]}}"), "more than 100,000 values", id="merged aliases"),
        pytest.param("a: &a [*a]", "stands for nothing, or for what it stands in", id="a circle"),
        pytest.param("seed: " + "[" * 3000, "nested deeper than 50", id="brackets"),
        pytest.param("- " * 3000 + "x", "nested deeper than 50", id="dashes"),
        pytest.param("? " * 3000 + "x", "nested deeper than 50", id="keys"),
        pytest.param("seed: " + "9" * 5000, "a value cannot be read", id="5,000 digits"),
        pytest.param("seed: 0x" + "f" * 5000, "seed: an integer beyond 128 bits", id="5,000 hexadecimal digits"),
        pytest.param("{a: [{b: 340282366920938463463374607431768211456}]}", "a.b: an integer beyond 128 bits", id="129 bits"),
        pytest.param("seed: 2024-13-45", "a value cannot be read (month", id="no date"),
        pytest.param("%YAML 1.1\n---\nseed: 1" + ":59" * 300_000, "a plan is YAML 1.2", id="300,000 sixtieths"),
        pytest.param("seed: !!bool maybe", "a value cannot be read", id="neither true nor false"),
        pytest.param("a: " + "x" * bounds.MOST_BYTES, "a plan has at most", id="long"),
    ],
)
def test_a_hostile_plan_ends_in_one_short_message(tmp_path, text, words):
    file = tmp_path / "plan.yaml"
    file.write_text(text)
    with pytest.raises(PlanError) as raised:
        load_plan(str(file))
    assert words in str(raised.value) and len(str(raised.value)) < 600


@pytest.mark.parametrize(
    "assignment", ["seed=0x" + "f" * 5000, "seed=" + "9" * 5000, "seed=" + "{a: " * 3000, "a" + ".a" * 3000 + "=1"]
)
def test_so_does_a_hostile_assignment(assignment):
    with pytest.raises(PlanError):
        load_plan(None, assignments=[assignment])


def test_what_a_plan_may_hold_is_read():
    text = "a: &a [1, 2]\nb: [*a, *a]\nc: 340282366920938463463374607431768211455\nd: " + "[" * 49 + "]" * 49
    assert bounds.load(text, where="plan") | {"d": 0} == {"a": [1, 2], "b": [[1, 2], [1, 2]], "c": 2**128 - 1, "d": 0}
