"""Entry points: the command line and everything that touches Prefect. No other package imports them."""

__version__ = "0.1.0"
"""Version of the whole distribution; pyproject.toml reads it from here."""
