"""What each group has, before anything is tokenised: bytes as they are, tokens from a sample of its text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.export import documents
from pipeline.export.content import Content
from pipeline.export.documents import Chosen, Counted, Piece
from pipeline.export.mix import Supply
from pipeline.inspect.output import Output

SAMPLE_BYTES = 100_000
"""Text of a group that is tokenised; chosen because tokens per byte of a language then vary by some per cent."""
SAMPLE_GROUPS = 8
"""Row groups, spread over the corpus, that are looked at."""


def supplies(output: Output, of: Sequence[Piece], *, how: Chosen, content: Content, counted: Sequence[Counted]) -> list[Supply]:
    """Of each group, as if nothing were held out for validation; sizes are estimated where they are tokens."""
    if content.tokenizer is None:
        sizes = [one.n_bytes for one in counted]
    else:
        text, tokens = _sampled(output, of, how=how, content=content)
        overall = max(1, tokens.sum()) / max(1, text.sum())
        rates = np.where(text > 0, tokens / np.maximum(text, 1), overall)
        sizes = [round(one.n_bytes * rate) + one.documents for one, rate in zip(counted, rates.tolist(), strict=False)]
    left = 1 - how.validation
    return [
        Supply(name, int(one.documents * left), max(1, int(size * left)))
        for name, one, size in zip(how.groups, counted, sizes, strict=False)
    ]


def _sampled(output: Output, of: Sequence[Piece], *, how: Chosen, content: Content) -> tuple[np.ndarray, np.ndarray]:
    """Bytes and tokens, end-of-document ones left out, of the sample of each group."""
    assert content.tokenizer is not None
    n_bytes, tokens = np.zeros((2, len(how.groups)), np.int64)
    everywhere = [(piece, group) for piece in of for group in piece.groups]
    for at in np.unique(np.linspace(0, len(everywhere) - 1, SAMPLE_GROUPS).astype(np.int64)).tolist():
        piece, group = everywhere[at]
        table = output.store.read_group(piece.path, group, ["text", "n_bytes", *how.columns])
        codes, sizes = documents.codes(table, how), table["n_bytes"].to_numpy()
        for code in range(len(how.groups)):
            rows = np.flatnonzero(codes == code)
            rows = rows[np.cumsum(sizes[rows]) - sizes[rows] < SAMPLE_BYTES // SAMPLE_GROUPS]
            texts = table["text"].take(pa.array(rows)).to_pylist()
            if texts:
                n_bytes[code] += sizes[rows].sum()
                tokens[code] += len(content.tokenizer.encode(texts, where=piece.path).values) - len(texts)
    return n_bytes, tokens
