"""The sharding codec: many inner chunks in one stored value."""
