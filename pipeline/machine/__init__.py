"""What this computer gives to a run: worker threads, scratch space, sorting on disk, memory, clocks, and events on progress."""
