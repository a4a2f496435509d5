"""Asking application entities elsewhere: C-FIND, C-GET and C-MOVE as user (PS3.4 C.4)."""
