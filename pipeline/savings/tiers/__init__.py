"""Ways to measure the loss of an arm: n-gram counts, or small models that are trained."""
