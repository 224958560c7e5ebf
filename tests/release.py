"""`python -m tests.release --tools PYTHON [--python PATH ...]`: builds sdist and wheel into dist/ and tries them; `make release`.

Built are the tracked files, in an environment of the build's own, dated as the last commit: the same commit gives the same bytes.
Checked are the metadata (`twine check`); the contents, which are the tracked files of the packages and nothing else; the wheel of
the sdist against that of the tree; and, for each Python, `winnow --version`, `winnow plan presets` and `winnow curate` from an
empty folder in an empty environment and home: the sample has the digests of the tree, nobody but Winnow prints, and the
environment is weighed. Status 1 where one of them fails. PYTHON has the packages build and twine.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

from flows import __version__
from tests.support import ROOT

PACKAGES = ("filters", "pipeline", "flows", "sample_data", "winnow.py")
BESIDE = ("CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "SECURITY.md", "constraints.txt", "pyproject.toml")
"""What an sdist has beside the packages, but for what setuptools generates."""
GENERATED = re.compile(r"PKG-INFO|setup\.cfg|winnow_curation\.egg-info/.*")
PYTHONS = ("3.11", "3.12", "3.13")
ENVIRONMENT_BYTES = 1.2e9
PROGRESS = re.compile(r" *[\d,]+\.\d s  .*|")
"""A line that Winnow prints on stderr while it works: whatever else stands there is of another tool."""
WHEEL = f"winnow_curation-{__version__}-py3-none-any.whl"
SDIST = f"winnow_curation-{__version__}.tar.gz"


class Failed(Exception):
    """A check of the release, in one sentence."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Build and try a release.")
    parser.add_argument("--tools", required=True, help="a Python that has build and twine")
    parser.add_argument(
        "--python", action="append", help="a Python to try it with (default: each of 3.11, 3.12, 3.13 that is found)"
    )
    asked = parser.parse_args()
    pythons = asked.python or list(_found())
    try:
        if not pythons:
            raise Failed(f"none of Python {', '.join(PYTHONS)} was found: name one with --python")
        with tempfile.TemporaryDirectory() as folder:
            wheel = build(asked.tools, Path(folder))
            expected = _sample(
                [sys.executable, "-m", "flows.curate", "--inline"], Path(folder) / "tree", {**os.environ, "PYTHONPATH": str(ROOT)}
            )
            for number, python in enumerate(pythons):
                attempt(python, wheel, Path(folder) / str(number), expected)
    except Failed as failure:
        print(f"release: {failure}", file=sys.stderr)
        return 1
    return 0


def build(tools: str, folder: Path) -> Path:
    """The checked wheel in dist/, beside its sdist."""
    asked = ["git", "log", "-1", "--format=%ct"]
    date = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": date}
    environment.pop("PYTHONPATH", None)
    tree, made, again = folder / "sources", ROOT / "dist", folder / "again"
    shutil.rmtree(made, ignore_errors=True)
    for name in tracked(*BESIDE, *PACKAGES):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    _run([tools, "-m", "build", "--outdir", str(made), str(tree)], environment)  # the wheel is built from the sdist
    _run([tools, "-m", "build", "--wheel", "--outdir", str(again), str(tree)], environment)
    dated(made / SDIST, int(date))
    _run([tools, "-m", "twine", "check", "--strict", str(made / SDIST), str(made / WHEEL)], environment)
    if (made / WHEEL).read_bytes() != (again / WHEEL).read_bytes():
        raise Failed("the wheel of the sdist is another than the wheel of the tree")
    check_contents(made / WHEEL, made / SDIST)
    for name in (SDIST, WHEEL):
        data = (made / name).read_bytes()
        print(f"dist/{name}: {len(data):,} bytes, sha256 {hashlib.sha256(data).hexdigest()}")
    return made / WHEEL


def dated(sdist: Path, date: int) -> None:
    """Writes an sdist again with one date, owner and order: setuptools leaves the time of the build in it."""
    plain = sdist.with_suffix("")
    with tarfile.open(sdist) as old, tarfile.open(plain, "w", format=tarfile.PAX_FORMAT) as new:
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname, member.pax_headers = date, 0, 0, "", "", {}
            new.addfile(member, old.extractfile(member))
    sdist.write_bytes(gzip.compress(plain.read_bytes(), mtime=date))
    plain.unlink()


def check_contents(wheel: Path, sdist: Path) -> None:
    """Raises Failed where a wheel or sdist lacks a tracked file, or has another."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    _same("wheel", inside, set(tracked(*PACKAGES)))
    with tarfile.open(sdist) as opened:
        names = {member.name.partition("/")[2] for member in opened.getmembers() if member.isfile()}
    _same("sdist", {name for name in names if not GENERATED.fullmatch(name)}, set(tracked(*BESIDE, *PACKAGES)))


def _same(what: str, found: set[str], expected: set[str]) -> None:
    if found != expected:
        lacking, more = sorted(expected - found)[:5], sorted(found - expected)[:5]
        raise Failed(f"the {what} is not what is tracked; it lacks {lacking or 'nothing'}, and has {more or 'nothing'} beside it")


def attempt(python: str, wheel: Path, folder: Path, expected: dict[str, str]) -> None:
    """Installs the wheel in an empty environment and runs it in an empty folder."""
    _run([python, "-m", "venv", str(folder / "venv")], dict(os.environ))
    started = time.monotonic()
    pip = [str(folder / "venv/bin/pip"), "install", "-q", "-c", str(ROOT / "constraints.txt"), str(wheel)]
    _run(pip, {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")})
    installed_s = time.monotonic() - started
    size = sum(path.lstat().st_size for path in (folder / "venv").rglob("*"))
    home = folder / "home"
    home.mkdir()
    environment = {"PATH": f"{folder}/venv/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    winnow = str(folder / "venv/bin/winnow")
    if (said := _run([winnow, "--version"], environment, folder)) != f"winnow {__version__}\n":
        raise Failed(f"{python}: `winnow --version` prints {said!r}")
    if "default@2" not in _run([winnow, "plan", "presets"], environment, folder):
        raise Failed(f"{python}: `winnow plan presets` does not name default@2")
    started = time.monotonic()
    found = _sample([winnow, "curate"], folder / "empty", environment)
    if found != expected:
        raise Failed(f"{python}: the sample's digests are {found}; in the tree they are {expected}")
    if size > ENVIRONMENT_BYTES:
        raise Failed(f"{python}: the environment has {size / 1e9:.2f} GB, more than {ENVIRONMENT_BYTES / 1e9}")
    took = f"installed in {installed_s:.0f} s, first run {time.monotonic() - started:.0f} s, environment {size / 1e9:.2f} GB"
    print(f"{python}: the sample is the tree's; {took}", flush=True)


def _sample(command: list[str], folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """`content_sha256` of the sample curated into an empty folder. Raises Failed where another tool printed something."""
    folder.mkdir(parents=True)
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise Failed(f"`{' '.join(command)}` ended with {ran.returncode}: {ran.stderr[-2000:]}")
    if notices := [line for line in ran.stderr.splitlines() if not PROGRESS.fullmatch(line)]:
        raise Failed(f"`{' '.join(command)}` printed what is not Winnow's: {notices[:3]}")
    if (names := os.listdir(folder)) != ["curated"]:
        raise Failed(f"`{' '.join(command)}` left {names} in an empty folder")
    made: dict[str, dict[str, str]] = json.loads((folder / "curated/manifests/000001.json").read_text("utf-8"))
    return made["content_sha256"]


def tracked(*names: str) -> list[str]:
    """The files that git knows and that are there."""
    ran = subprocess.run(["git", "ls-files", *names], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in ran.stdout.splitlines() if (ROOT / name).is_file()]


def _found() -> Iterator[str]:
    """The newest of each release of Python: on PATH, else of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for release in PYTHONS:
        versions = sorted(pyenv.glob(f"{release}.*/bin/python"), key=lambda path: int(path.parts[-3].split(".")[2]))
        if on_path := next(
            (path for path in [shutil.which(f"python{release}"), *map(str, reversed(versions))] if path and _runs(path)), None
        ):
            yield on_path
        else:
            print(f"Python {release}: not found, not tried", flush=True)


def _runs(python: str) -> bool:
    """Whether a Python is one that makes environments: pyenv puts names on PATH that only say that there is none."""
    return subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0


def _run(command: list[str], environment: dict[str, str], folder: Path | None = None) -> str:
    """What a command prints. Raises Failed with its last words."""
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise Failed(f"`{' '.join(command)}` ended with {ran.returncode}: {(ran.stdout + ran.stderr)[-2000:]}")
    return ran.stdout


if __name__ == "__main__":
    sys.exit(main())
