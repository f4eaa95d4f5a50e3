"""Connections: how many there are, how long each may take, and what is said on them."""
