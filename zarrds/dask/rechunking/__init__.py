"""Change the chunks of a stored array within a memory bound."""
