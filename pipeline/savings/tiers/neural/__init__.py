"""The transformer of the `cpu` and `gpu` tiers: the only place that may import torch (extra `savings`)."""
