"""What runs in the solver's pod. It imports nothing of the operator, and little of anything else."""
