"""The rules of shared documents, for every door: what may be registered, what is found, what may be changed."""
