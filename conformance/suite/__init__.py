"""A black-box suite: checks of any server, clause by clause, with evidence. It knows nothing of this archive."""
