"""A real Kubernetes API server, ACME CA and DNS server on one machine, for the demo, the tests and the benchmark.

Nothing here is a fake: etcd, kube-apiserver and kube-controller-manager are built from their Go modules, Pebble is
Let's Encrypt's own test CA, and BIND is the name server. `environment.Environment` starts them all.
"""
