"""Texts of records: joined from tokens, shown by a page, and with marked text in its place."""
