"""What a run does to one unit of input: documents, signals, edits and verdicts, each in a table of its own."""
