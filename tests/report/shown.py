"""The page, the terminal's summary and the funnel, from metrics and samples as their files hold them."""

from __future__ import annotations

from typing import Any

from pipeline import report
from pipeline.records.metrics_json import Metrics
from pipeline.records.samples import Samples
from pipeline.records.savings_json import Savings
from pipeline.report import table


def render(made: dict, savings: dict | None, *, samples: dict | None = None, **given: Any) -> str:
    quoted = None if samples is None else Samples.model_validate(samples)
    measured = None if savings is None else Savings.model_validate(savings)
    return report.render(Metrics.model_validate(made), measured, samples=quoted, **given)


def summary(made: dict, *, out: str, width: int | None = None) -> str:
    """Off a terminal, or in a window of `width` columns."""
    said = report.summary(Metrics.model_validate(made), out=out)
    return table.text(said) if width is None else table.text(said, width=width)
