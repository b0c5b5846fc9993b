"""Looks for the answers as a CA does, and says what was met; it makes and changes nothing."""
