"""Keys, requests, certificates and chains: bytes in, bytes out. No I/O, no clock; only InvalidSpec leaves it."""
