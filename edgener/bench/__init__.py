"""Benches side by side: what was measured where, compared, judged and shown."""
