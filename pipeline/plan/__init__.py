"""What a user decides: the plan's model, its file and presets, plugins, scores, and the recipe that follows from it."""
