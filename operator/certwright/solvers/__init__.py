"""One module a challenge type: each makes what the CA will look for, says whether it can be seen, and takes it away."""
