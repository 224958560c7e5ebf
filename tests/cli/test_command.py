"""The one command `winnow`: what it starts, what it says of words that it does not know, what it offers to a shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows import __version__, command, completion, inspect, savings
from tests.support import ROOT, Ran

HEAVY = ("polars", "pyarrow", "numpy", "numba", "prefect", "pydantic", "rich", "scipy", "datasets", "fasttext", "ruamel", "torch")
HELPS = [[], ["--version"], *([name, "--help"] for name in command.COMMANDS)]
HELPS += [["inspect", one, "--help"] for one in ("browse", "review", "why", "sweep", "compare", "summary", "takedown")]
HELPS += [["plan", one, "--help"] for one in ("init", "keys", "explain", "presets")]
HELPS += [
    ["savings", "score", "--help"],
    ["export", "arms", "--help"],
    ["train", "judge", "--help"],
    ["completion", "words", "--", ""],
]


def winnow(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    capsys.readouterr()
    try:
        code = command.main(arguments)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    shown = capsys.readouterr()
    return Ran(code, shown.out, shown.err)


def test_help_of_every_command_imports_nothing_that_takes_time():
    """By what is imported, not by the clock; all in one process, which is as strict as one each."""
    code = f"""
import contextlib, io, json, sys
from flows.command import main
for arguments in {HELPS!r}:
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()) as shown:
        main(arguments)
    assert shown.getvalue().strip(), arguments
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(json.loads(ran.stdout)) & set(HEAVY) == set()


def test_alone_it_shows_the_commands_in_groups_and_two_examples(capsys):
    ran = winnow(capsys)
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.splitlines()) <= 40 and max(map(len, ran.out.splitlines())) <= 80
    for name in command.COMMANDS:
        assert f"\n  {name} " in ran.out, name
    assert ran.out.count("\n  winnow ") == 2
    assert winnow(capsys, "--help").out == winnow(capsys, "-h").out == ran.out


HELP = [
    (["help"], []),
    (["help", "inspect", "why"], ["inspect", "why", "--help"]),
    (["help", "inspct"], ["inspct"]),
]


@pytest.mark.parametrize(("given", "as_"), HELP)
def test_help_is_a_word_too(capsys, given, as_):
    assert winnow(capsys, *given) == winnow(capsys, *as_)


def test_the_help_of_plan_explain_is_its_own(capsys):
    assert winnow(capsys, "plan", "explain", "--help").out.startswith("usage: winnow plan explain [PLAN]")


def test_the_version_is_said(capsys):
    assert winnow(capsys, "--version") == Ran(0, f"winnow {__version__}\n", "")


WORDS = [
    (["inspct"], "inspct: no such command; did you mean `winnow inspect`?"),
    (["why"], "why: no such command; did you mean `winnow inspect why`?"),
    (["brwose"], "brwose: no such command; did you mean `winnow inspect browse`?"),
    (["presets"], "presets: no such command; did you mean `winnow plan presets`?"),
    (["version"], "version: no such command; did you mean `winnow --version`?"),
    (["run"], "run: no such command; did you mean `winnow curate`?"),
    (["minimal"], "minimal: no such command; did you mean `winnow curate minimal`?"),
    (["fineweb@1"], "fineweb@1: no such command; did you mean `winnow curate fineweb@1`?"),
    (["mine.yaml"], "mine.yaml: no such command; did you mean `winnow curate mine.yaml`?"),
    (["--input", "a.jsonl"], "--input: no such option; did you mean `winnow curate --input`?"),
    (["--inpt=a.jsonl"], "--inpt=a.jsonl: no such option; did you mean `winnow curate --input`?"),
    (["--verison"], "--verison: no such option; did you mean `winnow --version`?"),
    (["zzz\x1b[31m"], "zzz[U+001B][31m: no such command; there are curate, plan, inspect,"),
]


@pytest.mark.parametrize(("given", "said"), WORDS, ids=[given[0] for given, _ in WORDS])
def test_a_word_that_is_no_command_is_told_with_what_is_meant(capsys, given, said):
    ran = winnow(capsys, *given)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"winnow: {said}") and len(ran.err.splitlines()) == 1


MISTAKES = [
    (["curate", "--inpt", "x"], "winnow curate: no such argument: --inpt; did you mean --input? (winnow curate --help)"),
    (["inspect", "why", "--jsn", "x"], "winnow inspect why: no such argument: --jsn; did you mean --json?"),
    (["inspect", "whi"], "did you mean why? (winnow inspect --help)"),
    (["savings", "--tierr", "cpu"], "winnow savings: no such argument: --tierr; did you mean --tier?"),
    (["doctor", "--deap"], "did you mean --deep? (winnow doctor --help)"),
    (["plan", "int"], "did you mean init? (winnow plan --help)"),
    (["plan", "explain", "--explan"], "did you mean --explain? (winnow plan explain --help)"),
    (["train", "judge", "OUT", "--modell", "x"], "(winnow train judge --help)"),
    (["curate", "--runner", "dusk"], "did you mean dask? (winnow curate --help)"),
    (["export", "arm"], "did you mean arms? (winnow export --help)"),
    (["completion", "tcsh"], "choose from 'bash', 'zsh', 'fish'"),
]


@pytest.mark.parametrize(("given", "said"), MISTAKES, ids=[" ".join(given) for given, _ in MISTAKES])
def test_a_misspelt_option_or_subcommand_is_told_in_a_line_by_the_command_that_has_it(capsys, given, said):
    ran = winnow(capsys, *given)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err and len(ran.err.splitlines()) == 1, ran.err


@pytest.mark.parametrize("name", command.COMMANDS)
def test_a_command_is_a_module_that_python_runs_too(name):
    path = ROOT / f"{command.COMMANDS[name].module.replace('.', '/')}.py"
    assert 'if __name__ == "__main__":' in path.read_text("utf-8")
    assert command.parser_of(command.COMMANDS[name].parser).prog == f"winnow {name}"


def test_the_issue_of_a_command_and_of_its_module_is_one(capsys, monkeypatch):
    monkeypatch.setattr(inspect, "main", lambda argv: print("inspect", argv) or 7)
    assert winnow(capsys, "inspect", "why", "x") == Ran(7, "inspect ['why', 'x']\n", "")
    monkeypatch.setattr(savings, "main", lambda argv: print("savings", argv) or 0)
    assert winnow(capsys, "export", "arms", "--to", "d").out == "savings ['export-arms', '--to', 'd']\n"


COMPLETED = [
    (["ins"], ["inspect"]),
    (["--"], ["--help", "--version"]),
    (["inspect", ""], ["browse", "compare", "review", "summary", "sweep", "takedown", "why"]),
    (["inspect", "--output", "o", "why", "--j"], ["--json"]),
    (["curate", "fine"], ["fineweb@1"]),
    (["plan", "explain", "mini"], ["minimal@1"]),
    (["curate", "--runner", "d"], ["dask"]),
    (["curate", "--output", ""], []),  # a folder: the shell's own completion
    (["savings", "ex"], ["export-arms"]),
    (["train", "judge", "--end"], ["--endpoint"]),
    (["completion", ""], ["bash", "fish", "zsh"]),
    (["nosuch", ""], []),
]


@pytest.mark.parametrize(("words", "found"), COMPLETED, ids=[" ".join(words) for words, _ in COMPLETED])
def test_what_may_stand_in_the_place_of_the_last_word(words, found):
    assert completion.candidates(words) == found


def test_bash_completes_by_the_script(tmp_path: Path):
    program = tmp_path / "winnow"
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c "from flows.command import entry; entry()" "$@"\n')
    program.chmod(0o755)
    typed = f'COMP_WORDS=(winnow inspect wh)\nCOMP_CWORD=2\n_winnow "{program}"\necho "${{COMPREPLY[@]}}"'
    ran = subprocess.run(["bash", "-c", f"{completion.SHELLS['bash']}\n{typed}"], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["why"]
