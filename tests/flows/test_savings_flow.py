"""The measurement as a Prefect flow: its artifact, its errors, and nothing of the text in it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest

from flows.serving import savings_flow
from flows.serving.server import Temporary
from pipeline.errors import UsageError
from pipeline.records.savings_json import Savings
from pipeline.savings.measure import Request
from tests.flows.test_prefect_flow import newest
from tests.report.measured import compared, held, measured, savings

MADE = savings(measured(held(compared(0.5, (0.3, 0.8), statuses=("not_reached",) * 3), name="dropped:<b>")))


@pytest.fixture
def on_server(prefect_server: Temporary, monkeypatch: pytest.MonkeyPatch) -> Temporary:
    @contextmanager
    def same():
        yield prefect_server

    monkeypatch.setattr(savings_flow.server, "for_this_run", same)
    return prefect_server


def test_the_table_is_an_artifact_and_costs_stand_in_it_escaped(on_server, monkeypatch):
    monkeypatch.setattr(savings_flow, "carry_out", lambda *_, **__: MADE)
    assert savings_flow.measure_in_flow(Request(output="out", tier="cpu"), lambda _: None) == MADE
    found = [a["data"] for a in newest(on_server.url, "artifacts", 5) if a["key"] == "winnow-saving"]
    assert "| 0\\.500 | 0\\.300 to 0\\.800 | costs |" in found[0]
    assert "<b>" not in found[0]
    assert newest(on_server.url, "flow_runs")[0]["state_type"] == "COMPLETED"


def test_the_very_error_reaches_the_caller(on_server, monkeypatch):
    def refuse(*_: Any, **__: Any) -> Savings:
        raise UsageError("no target")

    monkeypatch.setattr(savings_flow, "carry_out", refuse)
    with pytest.raises(UsageError, match="no target"):
        savings_flow.measure_in_flow(Request(output="out", tier="cpu"), lambda _: None)
    assert newest(on_server.url, "flow_runs")[0]["state_type"] == "FAILED"
