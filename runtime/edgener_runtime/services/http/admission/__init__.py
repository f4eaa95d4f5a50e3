"""Which requests are accepted: those whose bodies fit in memory, and whose texts can be answered in time."""
