"""The compute ledger of a run: what training on its text costs, and the arithmetic behind it."""
