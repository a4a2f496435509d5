"""Who may do what: actors, the one policy, users, tokens, known AE titles."""
