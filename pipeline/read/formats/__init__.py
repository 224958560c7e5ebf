"""Formats of input: each module cuts files of one kind into units and reads their rows."""
