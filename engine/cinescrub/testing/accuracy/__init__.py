"""The accuracy benchmark: the suite through the command line and its peers, scored alike.

What is measured runs as a process of its own, as a user starts it; nothing here imports it. The
figures are defined in `cinescrub.testing.score`.
"""

from cinescrub.testing.accuracy.measure import Made, Outcome, Subject, make_cases, measure_tool
from cinescrub.testing.accuracy.summary import summarise, table

__all__ = ["Made", "Outcome", "Subject", "make_cases", "measure_tool", "summarise", "table"]
