"""From fates and texts to shards: the layout, the ledger, and the files."""
