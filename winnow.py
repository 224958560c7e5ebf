"""The command `winnow`, also as `python -m winnow`. It stands outside the packages, so as to say which folder hides `flows`."""

import importlib.util
import os
import sys


def hidden() -> str:
    """That a folder or module of the user's hides the package `flows`, and what to do; empty where none does."""
    ours = os.path.join(os.path.dirname(os.path.realpath(__file__)), "flows")
    spec = importlib.util.find_spec("flows")
    places = [] if spec is None else list(spec.submodule_search_locations or [spec.origin or ""])
    if places and os.path.realpath(places[0]) != ours:
        return f"{places[0]!r} hides Winnow's own package flows; rename it, or take its folder out of PYTHONPATH"
    return ""


def entry() -> None:
    """The console script."""
    if said := hidden():
        print(f"winnow: {said}", file=sys.stderr)
        raise SystemExit(2)
    from flows.command import entry as run

    run()


if __name__ == "__main__":
    entry()
