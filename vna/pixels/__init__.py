"""Pure functions over pixel bytes."""
