"""Plugins that change TXT records at a DNS provider, found by entry points; one module each, none knows another."""
