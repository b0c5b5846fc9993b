"""Certwright puts certificates into Kubernetes Secrets and keeps them valid."""

__version__ = "0.1.0"
