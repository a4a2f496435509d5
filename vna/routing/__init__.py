"""Where images come from and go to beside our own doors."""
