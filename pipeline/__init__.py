"""Tables on disk, one direction: read, normalise, annotate, decide, dedup, select, write, report. No Prefect here."""
