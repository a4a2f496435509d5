"""What scripts of wrk have in common."""

from typing import Final

PATHS: Final = """
local paths = {}
for line in io.lines("%(paths)s") do paths[#paths + 1] = line end
local at = 0
request = function()
  at = at %% #paths + 1
  return wrk.format("GET", paths[at])
end
"""
"""Asks for the paths of a file, line by line, again and again; `PATHS % {"paths": file}`."""
