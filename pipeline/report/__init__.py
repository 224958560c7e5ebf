"""The report of a run, made from its metrics alone: `draw` its charts and `render` the page, and for the terminal
`summary`, and `closing`, its end.

None touches a file or the network.
"""

from pipeline.report.page.page import draw, render
from pipeline.report.terminal import closing, summary

__all__ = ["closing", "draw", "render", "summary"]
