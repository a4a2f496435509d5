"""The IHE document sharing door: registry, repository and imaging document source (ITI TF, RAD TF)."""
