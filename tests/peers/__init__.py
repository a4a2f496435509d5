"""Real peers for the tests: PostgreSQL, SeaweedFS, Orthanc, dcmtk, and the sample files. Loopback only."""
