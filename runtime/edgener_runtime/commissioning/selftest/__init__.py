"""What a device can do, found out on it: checks in order, one report, one page."""
