"""The presets of this release, one YAML file each. Imports nothing: their names are offered while somebody types."""

from __future__ import annotations

from pathlib import Path


def presets() -> dict[str, Path]:
    """Name with version → file, for every preset in this release."""
    return {path.stem: path for path in sorted(Path(__file__).parent.glob("*.yaml"))}
