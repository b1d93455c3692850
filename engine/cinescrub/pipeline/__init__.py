"""One cine through all stages, and many cines one after the other."""
