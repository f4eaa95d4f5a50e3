"""The models of a server: each with its session, queue, limits, watchdog and reload, so that none holds up another."""
