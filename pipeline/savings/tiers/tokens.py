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
from pipeline.savings.corpora import sizes_of, upto

END = "<end>"
"""Token 0: ends a document."""
TRAINING_BYTES = 2_000_000
"""Bytes of each of the two arms that train the tokenizer; chosen because a vocabulary of 1024 no longer changes beyond."""


@dataclass(frozen=True)
class TokenFiles:
    """Files of tokens: of each arm, with how many it has, of all held-out sets, and of the places of the groups by draw."""

    arms: dict[str, str]
    tokens: dict[str, int]
    sets: str
    turned: tuple[str, ...]


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
    arms = {arm.name: folder / f"arm-{number}.npz" for number, arm in enumerate(experiment.arms)}
    sets = folder / "sets.npz"
    if not all(path.is_file() for path in (*arms.values(), sets)):
        made = tokenizer(experiment, vocabulary=vocabulary)
        made.save(str(folder / "tokenizer.json"))
        for arm in experiment.arms:
            save(arms[arm.name], **_packed(made, arm.texts, end=True), keys=arm.keys, groups=arm.groups)
        texts = [text for held in experiment.sets for text in held.texts]
        bounds = np.cumsum([0, *(len(held.texts) for held in experiment.sets)])
        save(sets, **_packed(made, texts, end=False), sets=bounds)
    turned = [folder / f"turned-{draw}.npy" for draw in range(experiment.order.draws)]
    for draw, path in enumerate(turned):
        np.save(path, experiment.order.turned(draw))
    counts = {}
    for name, path in arms.items():
        with np.load(path) as saved:
            counts[name] = int(saved["starts"][-1])
    return TokenFiles({name: str(path) for name, path in arms.items()}, counts, str(sets), tuple(map(str, turned)))


def _some(arm: Arm, limit: int) -> list[str]:
    """Documents spread over the arm, up to `limit` bytes."""
    order = np.random.default_rng(0).permutation(len(arm.texts))
    return [arm.texts[at] for at in upto(order, sizes_of(arm.texts), limit)]


def _packed(made: Any, texts: Sequence[str], *, end: bool) -> dict[str, np.ndarray]:
    """Tokens of the texts one after the other (uint16), and where each begins, with the end."""
    parts: list[np.ndarray] = []
    for start in range(0, len(texts), 256):
        for item in made.encode_batch_fast(list(texts[start : start + 256]), add_special_tokens=False):
            parts.append(np.array([*item.ids, 0] if end else item.ids, dtype=np.uint16))
    starts = np.append(0, np.cumsum([len(part) for part in parts], dtype=np.int64))
    return {"tokens": np.concatenate(parts) if parts else np.empty(0, np.uint16), "starts": starts}


def save(path: Path, **arrays: Any) -> None:
    """Write a file of arrays whole, or not at all."""
    temporary = path.with_suffix(".tmp.npz")
    np.savez(temporary, **arrays)
    os.replace(temporary, path)
