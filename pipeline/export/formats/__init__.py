"""Formats of exports: each a file of values, and what stands beside it."""

from pipeline.export.formats import datatrove, jsonl, megatron, npy, packed

FORMATS = {made.name: made for made in (megatron.FORMAT, datatrove.FORMAT, npy.FORMAT, packed.FORMAT, jsonl.FORMAT)}
