"""Latency, throughput and cost of a bundle's variants on this machine, by MLPerf's scenarios."""
