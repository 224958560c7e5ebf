"""Every command ends the same way: one message that is harmless to a terminal, and the exit code that its cause has."""

from __future__ import annotations

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from flows import curate, deploy, errors, inspect, savings, train
from pipeline.errors import CheckFailed, Damaged, PlanError
from tests.support import ROOT

EVIL = "\x1b]0;owned\x07\u202e\x9b31m"
SHOWN = "[U+001B]]0;owned[U+0007][U+202E][U+009B]31m"


@dataclass(frozen=True)
class Command:
    """A command, arguments that it accepts, the function of its module that does the work, and what its messages begin with."""

    main: Callable[[list[str]], int]
    arguments: list[str]
    works: str
    name: str = "winnow"
    resumes: bool = False


COMMANDS = {
    "curate": Command(curate.main, ["--inline"], "flows.curate._run", resumes=True),
    "train": Command(train.main, ["quality"], "flows.train._run"),
    "savings": Command(savings.main, ["--inline"], "pipeline.savings.lacking.refuse", resumes=True),
    "judge": Command(
        train.main,
        ["judge", "out", "--endpoint", "http://127.0.0.1/v1", "--model", "m"],
        "flows.judge._run",
        resumes=True,
    ),
    "deploy": Command(deploy.main, [], "flows.deploy.prepare", name="winnow deploy"),
    "inspect": Command(inspect.main, ["why", "x"], "flows.terminal.settle.settle", name="winnow inspect"),
}


@pytest.fixture(params=COMMANDS.values(), ids=COMMANDS)
def command(request: pytest.FixtureRequest) -> Command:
    return request.param


def ended(command: Command, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(command.works, fail)
    return command.main(command.arguments)


@pytest.mark.parametrize(("kind", "code"), [(PlanError, 2), (Damaged, 1), (CheckFailed, 3)])
def test_an_error_of_ours_is_shown_escaped_and_gives_its_exit_code(command, monkeypatch, capsys, kind, code):
    assert ended(command, monkeypatch, kind(f"plan {EVIL}:\n  mend it")) == code
    assert capsys.readouterr() == ("", f"{command.name}: plan {SHOWN}:\n  mend it\n")


@pytest.mark.parametrize(("number", "todo"), [(errno.EACCES, "mend that"), (errno.ENOSPC, "free some space there")])
def test_an_error_of_the_system_names_the_file_on_one_line_and_what_to_do(command, monkeypatch, capsys, number, todo):
    assert ended(command, monkeypatch, OSError(number, os.strerror(number), f"in/{EVIL}\nwinnow: done")) == 1
    then = "run the same command, it resumes" if command.resumes else "run the same command again"
    message = f"in/{SHOWN}[U+000A]winnow: done: {os.strerror(number)}; {todo} and {then}"
    assert capsys.readouterr() == ("", f"{command.name}: {message}\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("no name, no number"), "no name, no number; mend that"),
        (OSError(5, "Input/output error", b"in/\xff"), "in/[U+DCFF]: Input/output error; mend that"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused; mend that"),
        (MemoryError(), "out of memory; "),
    ],
)
def test_an_error_without_a_file_is_a_sentence_too(command, monkeypatch, capsys, error, message):
    assert ended(command, monkeypatch, error) == 1
    assert capsys.readouterr().err.startswith(f"{command.name}: {message}")


def test_ctrl_c_ends_with_130_and_without_a_traceback(command, monkeypatch, capsys):
    assert ended(command, monkeypatch, KeyboardInterrupt()) == 130
    more = "; the same command goes on where it stopped" if command.resumes else ""
    assert capsys.readouterr() == ("", f"{command.name}: interrupted{more}\n")


def test_what_a_crafted_file_does_to_a_reader_is_one_line(capsys):
    """A panic of Polars is no Exception; JSON may be nested deeper than Python goes."""

    def panics() -> int:
        raise pl.exceptions.PanicException("not yet implemented: \x1b[31m\nmore")

    for run, words in ((panics, "its reader gave up (not yet implemented: "), (lambda: json.loads("[" * 100_000), "too deep")):
        assert errors.exit_code(run, tell=errors.on_stderr("winnow")) == 1
        said = capsys.readouterr().err
        assert words in said and said.count("\n") == 1 and "\x1b" not in said


def test_a_bug_keeps_its_traceback(command, monkeypatch):
    with pytest.raises(ZeroDivisionError):
        ended(command, monkeypatch, ZeroDivisionError())


def test_a_wrong_argument_is_shown_escaped(command, capsys):
    with pytest.raises(SystemExit) as end:
        command.main([*command.arguments, f"--{EVIL}"])
    said = capsys.readouterr()
    assert end.value.code == 2 and said.out == ""
    assert f"no such argument: --{SHOWN} (winnow " in said.err and "\x1b" not in said.err


@pytest.mark.parametrize(
    ("main", "arguments"),
    [
        (curate.main, ["--inline", "--input", f"{EVIL}.jsonl"]),
        (curate.main, ["--inline", f"{EVIL}.yaml"]),
        (train.main, ["quality", "--positive", f"{EVIL}.jsonl", "--negative", "no.jsonl"]),
        (train.main, ["quality", "--reviews", EVIL]),
        (train.main, ["judge", EVIL, "--endpoint", "http://127.0.0.1/v1", "--model", "m"]),
        (train.main, [EVIL, "--positive", "a.jsonl", "--negative", "no.jsonl"]),
        (savings.main, ["--inline", EVIL]),
        (savings.main, ["score", EVIL, "results.jsonl"]),
        (savings.main, ["export-arms", EVIL, "--to", "arms", "--tokens", "9"]),
        (deploy.main, ["--plan", f"{EVIL}.yaml"]),
        (deploy.main, ["--set", f"filters.{EVIL}=1", "--input", "in"]),
        (inspect.main, ["--output", EVIL, "why", "x"]),
        (inspect.main, ["--output", EVIL, "takedown", "--domain", "bad.example", "--yes"]),
    ],
)
def test_hostile_names_that_do_not_exist_exit_2_and_reach_no_terminal(main, arguments, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert "owned" in said.err
    assert not set(said.out + said.err) & set(EVIL[:1] + "\x07\u202e\x9b")


def test_in_json_the_message_is_one_ascii_line(monkeypatch, capsys):
    monkeypatch.setattr("flows.curate._run", lambda *_: (_ for _ in ()).throw(PlanError(EVIL)))
    assert curate.main(["--inline", "--log-json"]) == 2
    line = capsys.readouterr().err
    assert line.isascii() and line.count("\n") == 1
    assert (json.loads(line)["message"], json.loads(line)["exit_code"]) == (EVIL, 2)


def test_a_reader_that_leaves_is_no_failure():
    code = (
        "from flows import errors\n"
        "def run():\n    raise BrokenPipeError\n"
        "raise SystemExit(errors.exit_code(run, tell=errors.on_stderr('x')))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


ENDS = """
import atexit, threading, time
from flows.curate import ended
atexit.register(print, "last")
threading.Thread(target=lambda: (time.sleep(0.2), print("waited for"))).start()
print("said")
ended(3)
"""


def test_a_process_ends_when_all_is_done_and_said_that_waits_for_its_end():
    ran = subprocess.run([sys.executable, "-c", ENDS], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (3, "said\nwaited for\nlast\n")


def test_a_process_whose_last_words_nobody_takes_says_so():
    reader, writer = os.pipe()
    os.close(reader)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", ENDS]
    ran = subprocess.run(command, cwd=ROOT, env=buffered, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert ran.returncode == 120 and "BrokenPipeError" in ran.stderr


def test_a_deployment_that_waits_for_its_server_ends_at_ctrl_c(tmp_path: Path):
    with socket.socket() as closed:  # bound and not listening: whoever connects is refused
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/api"
        script = (
            "from flows import deploy\n"
            "wait = deploy.check_server\n"
            "deploy.check_server = lambda: (print('waits', flush=True), wait())\n"
            f"raise SystemExit(deploy.main(['--input', {str(ROOT / 'sample_data/input')!r}]))"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PREFECT_API_URL": url, "PREFECT_HOME": str(tmp_path / "home")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None and process.stdout.readline() == "waits\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said.splitlines()[-1]) == (130, "winnow deploy: interrupted")
    assert "Traceback" not in said


def test_names_in_the_test_are_the_functions_that_do_the_work():
    """`ended` patches them: a name that the command no longer calls would test nothing."""
    places = {f"flows.{name}" for name in ("curate", "train", "judge", "deploy")}
    places |= {"flows.terminal.settle", "pipeline.savings.lacking"}
    assert {command.works.rpartition(".")[0] for command in COMMANDS.values()} == places
    assert all(isinstance(command.main.__globals__["parser"](), errors.Parser) for command in COMMANDS.values())


@pytest.mark.parametrize(
    ("main", "given", "said"),
    [
        (curate.main, ["--inptu", "x"], "no such argument: --inptu; did you mean --input?"),
        (curate.main, ["--runner", "daks"], "did you mean dask?"),
        (curate.main, ["--zzzz"], "no such argument: --zzzz (winnow curate --help)\n"),
        (inspect.main, ["comprae", "out"], "did you mean compare?"),
        (inspect.main, ["takedown", "--dry", "--kesy", "x"], "--keys --domain --like is required"),
        (train.main, ["quality", "--positve", "x"], "did you mean --positive?"),
    ],
)
def test_a_misspelt_option_or_choice_has_its_suggestion(
    main: Callable[[list[str]], int], given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(given)
    assert ended.value.code == 2 and said in capsys.readouterr().err
