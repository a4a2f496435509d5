"""The words of the archive: plain frozen values and errors that every room shares."""
