"""`python -m vna.cli`: the same as `vna`."""

from vna.cli import main

main()
