"""`make bench B=NAME`: the table names programs that are there, and the Makefile knows which of them need torch."""

from __future__ import annotations

import re

import pytest

from tests.bench import __main__ as bench
from tests.support import ROOT


def test_every_program_of_the_table_is_there_and_every_measurement_is_in_the_table() -> None:
    named = [program.split()[0] for entry in bench.BENCHES.values() for program in entry.programs]
    programs = {
        path.stem for path in (ROOT / "tests/bench").glob("*.py") if 'if __name__ == "__main__"' in path.read_text("utf-8")
    }
    assert sorted(named) == sorted(programs - {"__main__"})


def test_the_makefile_runs_what_needs_torch_where_torch_is() -> None:
    (named,) = re.findall(r"^TORCH_BENCHES := (.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert set(named.split()) == {name for name, entry in bench.BENCHES.items() if "torch" in entry.about}


def test_the_list_has_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(bench.BENCHES)


@pytest.mark.parametrize("arguments", [["throughputs"], ["models", "--rounds", "1"]])
def test_what_cannot_be_run_is_told(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert bench.main(arguments) == 2
    assert "B=list" in capsys.readouterr().err


def test_a_missed_target_is_status_1_and_the_next_program_runs_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> object:
        ran.append(command[1:])
        return type("Done", (), {"returncode": 1 if len(ran) == 1 else 0})()

    monkeypatch.setattr(bench.subprocess, "run", run)
    assert bench.main(["models"]) == 1 and bench.main(["scale", "--seed", "2"]) == 0
    models = ("quality_model", "toxicity_model", "toxicity2_model")
    assert ran[:3] == [["-m", f"tests.bench.{name}"] for name in models]
    assert ran[3] == ["-m", "tests.bench.dedup_scale", "--documents", "1e6", "--also", "1e7", "--seed", "2"]
