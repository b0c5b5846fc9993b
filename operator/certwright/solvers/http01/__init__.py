"""HTTP-01: the solver with its objects, the check before the CA is told, and the server that runs in the pod."""
