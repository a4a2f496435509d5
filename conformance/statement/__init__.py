"""What this archive says of itself: written from what its running code registers."""
