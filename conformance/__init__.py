"""What the archive claims to conform to, and the checks that prove it."""
