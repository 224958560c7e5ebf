"""One tokenizer for all arms, and the arms and held-out sets as arrays of tokens.

A byte-level BPE trained on equal bytes of the baseline and of what is judged, so that neither pays for the other's vocabulary.
Arms differ in bytes a token all the same, a real effect: losses are in bits per byte, and the ratio is printed.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.savings.arms import Arm, Experiment

END = "<end>"
"""Token 0: ends a document."""
TRAINING_BYTES = 2_000_000
"""Bytes of each of the two arms that train the tokenizer; chosen because a vocabulary of 1024 no longer changes beyond."""


@dataclass(frozen=True)
class TokenFiles:
    """Files of tokens: `arms[name]` and `sets`; `slices[name]`: documents of each set; `n_bytes`: of each of their documents."""

    arms: dict[str, str]
    tokens: dict[str, int]
    sets: str
    slices: dict[str, slice]
    n_bytes: np.ndarray


def tokenizer(experiment: Experiment, *, vocabulary: int) -> Any:
    """Trained on equal bytes of the first two arms."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    limit = min(TRAINING_BYTES, *(arm.n_bytes for arm in experiment.arms[:2]))
    made.train_from_iterator([text for arm in experiment.arms[:2] for text in _some(arm, limit)], trainer)
    return made


def encode(experiment: Experiment, folder: Path, *, vocabulary: int) -> TokenFiles:
    """Write the arrays to `folder`; what is there is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    made: Any = None
    arms, counts = {}, {}
    names = [f"arm-{number}.npz" for number in range(len(experiment.arms))]
    if not all((folder / name).is_file() for name in (*names, "sets.npz")):
        made = tokenizer(experiment, vocabulary=vocabulary)
        made.save(str(folder / "tokenizer.json"))
    texts = [text for held in experiment.sets for text in held.texts]
    for arm, name in zip(experiment.arms, names, strict=True):
        if made is not None:
            tokens, starts = _packed(made, arm.texts, end=True)
            _save(folder / name, tokens=tokens, starts=starts, groups=arm.groups)
        arms[arm.name] = str(folder / name)
        with np.load(folder / name) as saved:
            counts[arm.name] = int(saved["starts"][-1])
    if made is not None:
        tokens, starts = _packed(made, texts, end=False)
        _save(folder / "sets.npz", tokens=tokens, starts=starts)
    slices, first = {}, 0
    for held in experiment.sets:
        slices[held.name] = slice(first, first + len(held.texts))
        first += len(held.texts)
    sizes = np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts], dtype=np.float64)
    return TokenFiles(arms, counts, str(folder / "sets.npz"), slices, sizes)


def _some(arm: Arm, limit: int) -> list[str]:
    """Documents spread over the arm, up to `limit` bytes."""
    order = np.random.default_rng(0).permutation(len(arm.texts))
    chosen, size = [], 0
    for at in order:
        chosen.append(arm.texts[at])
        size += len(arm.texts[at])
        if size >= limit:
            break
    return chosen


def _packed(made: Any, texts: Sequence[str], *, end: bool) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of the texts one after the other (uint16), and where each begins, with the end."""
    parts: list[np.ndarray] = []
    for start in range(0, len(texts), 256):
        for item in made.encode_batch_fast(list(texts[start : start + 256]), add_special_tokens=False):
            parts.append(np.array([*item.ids, 0] if end else item.ids, dtype=np.uint16))
    starts = np.append(0, np.cumsum([len(part) for part in parts], dtype=np.int64))
    return np.concatenate(parts) if parts else np.empty(0, np.uint16), starts


def _save(path: Path, **arrays: Any) -> None:
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, **arrays)
    os.replace(temporary, path)
