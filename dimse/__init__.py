"""The DICOM upper layer door: services over associations (PS3.4, PS3.7, PS3.8)."""
