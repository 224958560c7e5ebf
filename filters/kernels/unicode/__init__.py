"""Kernels over characters: classes, scripts, case folding, suspect characters, words of a Unicode text."""
