"""What this computer has: threads, scratch space, memory, clocks, and events about the work."""
