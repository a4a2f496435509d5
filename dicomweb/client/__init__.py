"""Asking DICOMweb services elsewhere: QIDO-RS, WADO-RS, STOW-RS, WADO-URI as user agent (PS3.18)."""
