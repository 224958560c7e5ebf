"""What nobody needs is not imported: by other libraries on a chance, or by us before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from filters.kernels.absent import absent
from tests.support import ROOT

LOADED = """
import sys
from flows.curate import main
code = main(sys.argv[1:])
unneeded = {"ada_url", "datasketch", "fasttext", "pandas", "scipy", "stdnum", "yaml"}
print(code, sorted(unneeded & set(sys.modules)))
import pandas, scipy.linalg, yaml
"""


def test_a_run_imports_none_of_them_and_they_are_there_afterwards(tmp_path):
    """ada_url is for `exact_url`, datasketch for sketches, fasttext for training, stdnum for masks of numbers; pandas,
    scipy and yaml pyarrow and numba look for."""
    command = [sys.executable, "-c", LOADED, "--output", str(tmp_path / "out"), "--inline", "--workers", "1"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines()[-1] == "0 []"


def test_a_module_is_absent_within_the_block_alone():
    sys.modules.pop("wave", None)
    with absent("wave"), pytest.raises(ModuleNotFoundError):
        import wave
    import wave

    with absent("wave"):
        import wave as there
    assert there is wave and sys.modules["wave"] is wave
