"""An ACME client (RFC 8555) on requests and josepy: one module an object of the protocol.

It may not wait for anything but the reply to the request it just sent, and knows nothing of Kubernetes: of this package
it imports `errors` only. What comes next (ARI, key rollover, revocation) is a module beside these.
"""
