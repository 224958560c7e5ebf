"""The local page of `inspect browse`.

FastAPI and jinja2 (both come with Prefect), pages rendered on the server, and one small script of our own. NiceGUI (3.18, MIT,
bundles its assets) was looked at: it holds a websocket and the state of every element for each tab, its pages need inline scripts
and `eval`, which a strict Content-Security-Policy refuses, and it brings more packages. Here a page is a form and links, works
from the keyboard and with scripts off (the slider apart), and the policy allows nothing but files of this server. Charts
are those of the report (matplotlib, as SVG); the script only moves the threshold over them, so that a slider needs no drawing.

Invariants: nothing is sent before the address's token, the Host and the Origin were checked (`guard`); every string from outside
is made visible and escaped by the template engine (`app`); nothing in the output or the work directory is written to, but for
`reviews.jsonl` by the review.
"""
