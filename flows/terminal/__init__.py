"""What a person at a terminal sees: progress bars, keys, a browser that opens."""
