"""The only place where plan, codec and store meet."""
