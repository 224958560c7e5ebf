"""The measurement as a Prefect flow: its artifact, its errors, and nothing of the text in it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any

import pytest

from flows.serving import proxy_flow
from flows.serving.server import Temporary
from pipeline.errors import UsageError
from pipeline.records.savings_1 import ArmLine, Savings, SetLine
from pipeline.savings.measure import Request
from tests.flows.test_prefect_flow import newest

LINE = ArmLine.model_construct(arm="curated", multiplier=0.5, interval=(0.3, 0.8), bound=None, verdict="costs")
MADE = Savings.model_construct(
    tier="cpu",
    headline="No evidence of a saving on web | *really*",
    sets=(SetLine.model_construct(name="dropped:<b>", arms=(LINE,)),),
)


@pytest.fixture
def on_server(prefect_server: Temporary, monkeypatch: pytest.MonkeyPatch) -> Temporary:
    @contextmanager
    def same():
        yield prefect_server

    monkeypatch.setattr(proxy_flow.server, "for_this_run", same)
    return prefect_server


def test_the_table_is_an_artifact_and_costs_stand_in_it_escaped(on_server, monkeypatch):
    monkeypatch.setattr(proxy_flow, "carry_out", lambda *_, **__: MADE)
    assert proxy_flow.measure_in_flow(Request(output="out", tier="cpu"), lambda _: None) == MADE
    found = [a["data"] for a in newest(on_server.url, "artifacts", 5) if a["key"] == "winnow-saving"]
    assert "| curated | 0\\.500 | 0\\.300 to 0\\.800 | costs |" in found[0]
    assert "<b>" not in found[0]
    assert newest(on_server.url, "flow_runs")[0]["state_type"] == "COMPLETED"


def test_the_very_error_reaches_the_caller(on_server, monkeypatch):
    def refuse(*_: Any, **__: Any) -> Savings:
        raise UsageError("no target")

    monkeypatch.setattr(proxy_flow, "carry_out", refuse)
    with pytest.raises(UsageError, match="no target"):
        proxy_flow.measure_in_flow(Request(output="out", tier="cpu"), lambda _: None)
    assert newest(on_server.url, "flow_runs")[0]["state_type"] == "FAILED"
