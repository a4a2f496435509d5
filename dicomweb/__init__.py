"""The DICOMweb door: search, retrieve and store over HTTP (PS3.18)."""
