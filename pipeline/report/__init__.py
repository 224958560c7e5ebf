"""The report of a run, made from its metrics alone: `render` the page, `summary` for the terminal.

Both take the dict that metrics.json holds and touch no file and no network.
"""

from pipeline.report.page.page import render
from pipeline.report.terminal import summary

__all__ = ["render", "summary"]
