"""The outbox: hands event rows to subscribers at least once, in order per study."""
