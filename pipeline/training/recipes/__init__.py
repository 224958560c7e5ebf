"""What the models in `filters/model_files` are made of: only texts whose licence allows it, and patterns of our own.

A recipe's `request(folder, name, seed)` reads the files that it names below `folder` and gives a `train.Request`. Files of
patterns: `[section]` lines, then one entry a line; {names} stand for an entry of another section, {n} for a number.
"""
