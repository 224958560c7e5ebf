"""Kernels of model inference: fastText, linear classifiers and their features, windows and prose."""
