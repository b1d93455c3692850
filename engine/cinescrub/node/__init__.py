"""A DICOM node: instances come in by C-STORE, are de-identified and passed on.

Thin around `Engine`, which alone decides what an output is. Here is what a node needs besides: a
spool that loses nothing, an engine in a process of its own, routes, and what operators watch.
"""
