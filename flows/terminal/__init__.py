"""The terminal: progress and messages, keys, and opening the browser."""
