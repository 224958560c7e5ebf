"""Kernels over lines, paragraphs and repeated blocks, and over what edits remove."""
