"""Everything that is a venue's own, behind one protocol: nothing else knows codes, paths, headers."""
