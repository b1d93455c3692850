"""Is this PHI? Text and boxes in, decisions out; pure, but for reading the package's own data."""
