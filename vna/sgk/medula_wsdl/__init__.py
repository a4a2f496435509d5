"""The payer's service for registering services, as far as it is known, in the project's own words."""
