"""The same checkpoint, text in and entities out, in other engines and in ours, measured in one run."""
