"""Ways to measure a loss: n-gram counts, or small models that are trained."""
