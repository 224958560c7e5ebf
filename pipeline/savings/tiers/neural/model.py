"""A small decoder whose weights lie in one flat vector, so that the optimiser, the average and a checkpoint are one array each.

Token shift (a causal depthwise filter of three taps), rotary positions, normed queries and keys, RMS norms without weights,
squared ReLU, outputs that start at zero, a head of its own: chosen because the start-up plateau of a plain block of this size
depends on the seed more than on the data.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.savings.tiers.shapes import Shape

TAPS = 3
EMBEDDING_SD = 0.05
"""Standard deviation of the embedding's first weights; norms follow it, so only its ratio to the learning rate matters. Chosen
of 0.05, 0.25 and 1 on raw text alone: 2.420, 2.435 and 2.484 bits per byte."""


def sizes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights, in the order in which they lie in the flat vector."""
    w = shape.width
    found: dict[str, tuple[int, ...]] = {"embedding": (shape.vocabulary, w), "head": (shape.vocabulary, w)}
    for layer in range(shape.layers):
        found |= {
            f"{layer}.shift_attention": (TAPS, w),
            f"{layer}.qkv": (3 * w, w),
            f"{layer}.out": (w, w),
            f"{layer}.shift_mlp": (TAPS, w),
            f"{layer}.up": (4 * w, w),
            f"{layer}.down": (w, 4 * w),
        }
    return found


def views(flat: Tensor, shape: Shape) -> dict[str, Tensor]:
    """The weights as views of the flat vector."""
    found, start = {}, 0
    for name, size in sizes(shape).items():
        n = math.prod(size)
        found[name] = flat[start : start + n].view(size)
        start += n
    return found


def length(shape: Shape) -> int:
    """Numbers in the flat vector."""
    return sum(math.prod(size) for size in sizes(shape).values())


def fresh(shape: Shape, *, seed: int) -> Tensor:
    """First weights, float32 on the CPU; the same for a seed on every device."""
    generator = torch.Generator().manual_seed(seed)
    flat = torch.zeros(length(shape))
    for name, weight in views(flat, shape).items():
        if name == "embedding":
            weight.normal_(0, EMBEDDING_SD, generator=generator)
        elif name.endswith(("qkv", "up")):
            weight.normal_(0, shape.width**-0.5, generator=generator)
        elif ".shift_" in name:
            weight[0] = 1.0
    return flat


def decayed(shape: Shape) -> Tensor:
    """1 where weight decay applies: matrices of the layers and the head."""
    flat = torch.zeros(length(shape))
    for name, weight in views(flat, shape).items():
        if name != "embedding" and ".shift_" not in name:
            weight.fill_(1.0)
    return flat


def rotation(shape: Shape, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary positions, context x half a head."""
    half = shape.width // shape.heads // 2
    angles = torch.outer(torch.arange(shape.context), 1.0 / (10_000 ** (torch.arange(half) / half)))
    return angles.cos().to(device), angles.sin().to(device)


def logits(weights: dict[str, Tensor], tokens: Tensor, shape: Shape, *, turns: tuple[Tensor, Tensor]) -> Tensor:
    """Scores of the next token: batch x context x vocabulary. `tokens`: batch x context."""
    x = _norm(F.embedding(tokens, weights["embedding"]))
    batch, context, width = x.shape
    for layer in range(shape.layers):
        h = _shift(_norm(x), weights[f"{layer}.shift_attention"])
        qkv = F.linear(h, weights[f"{layer}.qkv"]).view(batch, context, 3, shape.heads, width // shape.heads)
        q, k, v = (part.transpose(1, 2) for part in qkv.unbind(2))
        q, k = _turn(_norm(q), turns), _turn(_norm(k), turns)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + F.linear(mixed.transpose(1, 2).reshape(batch, context, width), weights[f"{layer}.out"])
        h = _shift(_norm(x), weights[f"{layer}.shift_mlp"])
        x = x + F.linear(F.relu(F.linear(h, weights[f"{layer}.up"])).square(), weights[f"{layer}.down"])
    return F.linear(_norm(x), weights["head"])


def _norm(x: Tensor) -> Tensor:
    return F.rms_norm(x, (x.shape[-1],))


def _shift(x: Tensor, taps: Tensor) -> Tensor:
    mixed = x * taps[0]
    for back in range(1, TAPS):
        mixed = mixed + F.pad(x[:, :-back], (0, 0, back, 0)) * taps[back]
    return mixed


def _turn(x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
    cos, sin = (part[: x.shape[2]] for part in turns)
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, a * sin + b * cos), dim=-1)
