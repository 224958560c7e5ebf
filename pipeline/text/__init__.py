"""Pure functions from text to text or to columns: normalise, edits, masks, signatures, and what a duplicate is."""
