"""Entry points: the command line and everything that touches Prefect. No other package imports them."""

import os
import warnings

os.environ.setdefault("DO_NOT_TRACK", "1")  # Prefect, imported in a terminal, would tell its maker, and print a notice
warnings.filterwarnings("ignore", "Failed to create the Prefect home directory")  # a run needs none

__version__ = "0.1.0"
"""Version of the whole distribution; pyproject.toml reads it from here."""
