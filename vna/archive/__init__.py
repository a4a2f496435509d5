"""Use cases over instances: store, search, retrieve. Every one takes an Actor and asks the policy first."""
