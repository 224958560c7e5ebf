"""The report of a run, made from its metrics alone: `draw` its charts and `render` the page, `summary` for the terminal.

None touches a file or the network.
"""

from pipeline.report.page.page import draw, render
from pipeline.report.terminal import summary

__all__ = ["draw", "render", "summary"]
