"""Pure functions from text to text or to columns: normalise, final text, masks, signatures, and the definition of duplicates."""
