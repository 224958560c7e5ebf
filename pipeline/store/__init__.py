"""Where bytes lie: local folders and object stores, their locks, checksums and keys."""
