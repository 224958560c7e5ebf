"""The curation itself, from input files to a report: read, normalise, annotate, decide, dedup, select, write. No Prefect here."""
