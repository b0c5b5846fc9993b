"""What happens to the watched objects, told as it happens. The only package that knows kopf; it writes nothing."""
