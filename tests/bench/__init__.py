"""The benchmark: how much one certificate costs, counted on real servers. `python -m bench --help`."""
