"""Use cases over orders: what is asked for, what is scheduled, what was performed."""
