"""A run's results in the forms that people and programs read."""
