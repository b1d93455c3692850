"""Pixels: decode for inspection, and redact without touching the rest, per transfer syntax.

A frame is a buffer of bytes and a :class:`~cinescrub.types.CineInfo`; nothing here knows of DICOM
data sets, files, models or policies. The only room that imports image codecs.
"""
