"""Typed views of cluster objects: what they hold, never how they are fetched. No I/O, no clock."""
