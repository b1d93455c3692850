"""Where else cinescrub runs: training pipelines, object stores, clusters.

Thin adapters over `Engine`: nothing here decides what goes and what stays.
"""
