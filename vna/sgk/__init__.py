"""The SOAP look-ups by accession number, in the manner of the payer's services: a contract of our own (docs/sgk.md)."""
