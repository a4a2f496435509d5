"""The audit trail: what happened, written so that nobody alters it unnoticed."""
