"""The compute that curation saves, measured at equal quality: small models on raw and curated text, and what follows from
their losses.

Direction: `curves` and `laws` (mathematics) ← `intervals` ← `findings`; `corpora` (texts) ← `heldout` ← `arms`; `ngram` and
`neural/` give losses; `measure` puts them together. Nothing here calls a difference of token counts a saving.
"""
