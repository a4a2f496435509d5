"""The one streaming multipart reader and writer."""
