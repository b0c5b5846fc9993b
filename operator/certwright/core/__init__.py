"""Decides; does nothing. No I/O, no clock (`now` is a parameter), no randomness (what spreads comes from a uid)."""
