"""Formats of input, each from bytes to rows."""
