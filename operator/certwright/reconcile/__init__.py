"""From a key to a settled object: queue, workers, and the loop that observes, decides and performs."""
