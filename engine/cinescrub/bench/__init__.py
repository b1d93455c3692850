"""What `cinescrub bench` measures: the engine, its floor, its models and its peers, all alike.

A *case* is one thing done to one input. Every time it is done in a process of its own (`trials`),
cold, and the cases of a study take turns, so that a drift of the machine hits all of them. What
comes out is a `results.Result`: rows of figures, each the median of its runs with their spread, in
one JSON form (`schema.json`), which `compare`, `table`, `plot` and `page` read.
"""
