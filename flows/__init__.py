"""Entry points: the command line and everything that touches Prefect. No other package imports them."""

import importlib.util
import os
import sys
import warnings

os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect, imported in a terminal, would tell its maker, and print a notice
warnings.filterwarnings("ignore", "Failed to create the Prefect home directory")  # a run needs none

__version__ = "0.2.0"
"""Version of the whole distribution; pyproject.toml reads it from here."""


def _refuse_hidden() -> None:
    """Folders that have the names of our packages, here or in PYTHONPATH, hide them: say so, before an import fails."""
    home = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    for name in ("pipeline", "filters"):
        spec = importlib.util.find_spec(name)
        places = [] if spec is None else list(spec.submodule_search_locations or [spec.origin or ""])
        if not places or os.path.realpath(places[0]) == os.path.join(home, name):
            continue
        said = f"{places[0]!r} hides Winnow's own package {name}; rename it, or start Python in another folder"
        begun = (sys.argv or [""])[0]
        if begun == "-m" or os.path.basename(begun) == "winnow":  # a command, and no program of the user's
            print(f"winnow: {said}", file=sys.stderr)
            raise SystemExit(2)
        raise ImportError(said)


_refuse_hidden()
