"""Kernels over characters: classes, scripts, case folding, words of ASCII and Unicode text, and characters that normalise
changes."""
