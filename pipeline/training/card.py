"""What stands on disk: NAME.ftz or NAME.bin, its sidecar NAME.json, and NAME.md, the card that a person reads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.errors import OutputError
from pipeline.records.interval import Estimate
from pipeline.text import markdown, numbers
from pipeline.training.evaluate import Figures
from pipeline.training.fit import Settings
from pipeline.training.train import TrainedModel

LIMITS = (
    "Scores are probabilities for the mix of examples above, not for the web's.",
    "Languages without figures above are not covered.",
)


def write(trained: TrainedModel, folder: Path) -> Path:
    """Write the three files; returns the model's path. Raises OutputError."""
    name = trained.request.name
    path = folder / f"{name}{trained.suffix}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(trained.data)
        described = json.dumps(trained.sidecar.model_dump(), indent=1, sort_keys=True)
        path.with_suffix(".json").write_text(f"{described}\n", "utf-8")
        path.with_suffix(".md").write_text(card(trained), "utf-8")
    except OSError as error:
        raise OutputError(f"{error.filename or folder}: cannot be written: {error.strerror or error}") from error
    return path


def plan_line(trained: TrainedModel, path: Path) -> str:
    """The line of a plan that uses the model, as YAML."""
    request = trained.request
    key, threshold = ("toxicity", "max_score") if request.settings.by_window else ("quality", "min_score")
    key = "adult" if request.name.startswith("adult") else key
    return f"filters: {{{key}: {{model: {json.dumps(str(path), ensure_ascii=False)}, {threshold}: {trained.default:g}}}}}"


def card(trained: TrainedModel) -> str:
    """The card, as Markdown."""
    request, settings = trained.request, trained.request.settings
    parts = ", ".join(f"{part} {m:,} + {n:,}" for part, (m, n) in trained.counts.items())
    records: list[Sequence[str]] = [
        (markdown.code(r.path), numbers.count(r.documents), numbers.count(r.unreadable), r.sha256) for r in request.records
    ]
    pieces = [
        f"# {request.name}",
        f"{_kind(settings)}, written by `python -m flows.train`; read by `filters/models/classifier.py`.",
        "## Data",
        _table((("file", ">documents", ">unreadable rows", "sha256"), records)),
        _list(request.licences),
        f"Positive + negative documents: {parts}. Left out: {trained.copies:,} copies, {trained.contradictions:,} texts that"
        " stood in both classes. No group and no text is in two parts.",
        "## Figures",
        "On the test part, which neither training nor calibration used; brackets: 95 % intervals. ROC AUC"
        f" {_said(trained.overall.auc)}; with lengths matched {_number(trained.matched_auc)}; before quantising"
        f" {trained.unquantised_auc:.3f}. Expected calibration error {trained.calibration_error:.3f} ({trained.why}).",
        f"At the default threshold {trained.default:g}:",
        _table(figures_rows([trained.overall, *trained.by_source])),
        _table(figures_rows(trained.by_language, kind="language")),
        "Thresholds, set on the calibration part, with their precision and recall on the test part:",
        _table(thresholds_rows(trained)),
        "## Limits",
        _list((*LIMITS, *request.limits, *trained.notes)),
        "## Making it again",
        f"Size {len(trained.data):,} bytes, sha256 {trained.sidecar.sha256}. {_again(settings)} give the same bytes.",
        markdown.block(request.command, ""),
        f"Settings: {settings}, seed {request.seed}.",
    ]
    return "\n\n".join(piece for piece in pieces if piece) + "\n"


def _kind(settings: Settings) -> str:
    if settings.level_words is None:
        return "A fastText classifier of two labels"
    return "A linear classifier of two labels over words and character n-grams, in fastText's format"


def _again(settings: Settings) -> str:
    if settings.level_words is None:
        return "The same files, fasttext 0.9.3 and CPU type"
    return "The same files, versions of numpy and scipy, and CPU type"


Rows = tuple[Sequence[str], list[Sequence[str]]]
"""The head of a table, and its rows; a head that begins with `>` stands over numbers."""


def figures_rows(figures: Iterable[Figures], *, kind: str = "source") -> Rows:
    """Figures by group."""
    head = (kind, ">positive", ">negative", ">ROC AUC", ">recall", ">false alarms")
    counts = ((r, numbers.count(r.positives), numbers.count(r.negatives)) for r in figures)
    return head, [(r.name, m, n, _said(r.auc), _said(r.recall), _said(r.false_alarms)) for r, m, n in counts]


def thresholds_rows(trained: TrainedModel) -> Rows:
    """The proposed thresholds."""
    rows: list[Sequence[str]] = [(t.name, f"{t.score:g}", _said(t.precision), _said(t.recall)) for t in trained.thresholds]
    return ("threshold", ">score", ">precision", ">recall"), rows


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _said(estimate: Estimate | None) -> str:
    return "-" if estimate is None else str(estimate)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _table(made: Rows) -> str:
    return "\n".join(markdown.table(*made))
