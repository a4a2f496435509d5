"""File-sets on media: DICOMDIR, manifests, and what remembers how far an export is (PS3.10 8, PS3.3 F)."""
