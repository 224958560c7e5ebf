"""The folder that a user gets: manifests, tombstones, reviews, and the names of its folders."""
