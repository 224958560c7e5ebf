"""The page's addresses: what each answers, as HTML from the templates beside this file or as JSON for the script.

Every string that reaches HTML is made visible by the templates (`site`) and then escaped; strings in JSON are made visible where
they are put in, and reach the page as text nodes only.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles

from pipeline.errors import WinnowError
from pipeline.inspect.output import Output
from pipeline.inspect.page import documents, labels, thresholds
from pipeline.inspect.page.guard import Application, guarded
from pipeline.inspect.page.site import HERE, Site
from pipeline.text.visible import visible

MOST_SAID = 2_000
"""Characters of an error; it may quote what was asked for."""


def application(output: Output, *, token: str, port: int, work: str | None = None, save_plan: Path | None = None) -> Application:
    """The page of an output, for a server on `port` of the loopback address."""
    site = Site(output, work, save_plan)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.mount("/static", StaticFiles(directory=HERE / "static"))

    def failed(request: Request, error: Exception) -> Response:
        known = isinstance(error, WinnowError | RequestValidationError)
        said, status = (str(error), 400) if known else (f"{type(error).__name__}: {error}", 500)
        if "json" in request.headers.get("accept", ""):
            return JSONResponse({"error": visible(said, limit=MOST_SAID)}, status)
        return site.page("error.html", status=status, title="That did not work", said=visible(said, limit=MOST_SAID), gone=None)

    for kind in (WinnowError, RequestValidationError, OSError, Exception):
        app.add_exception_handler(kind, failed)
    for part in (documents, thresholds, labels):
        part.add(app, site)
    return guarded(app, token=token, port=port)
