"""Looking at an output: read-only, from what it holds; nothing here changes a byte of it."""
