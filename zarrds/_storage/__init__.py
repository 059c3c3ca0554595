"""Names of the manual's section 3.10. There is one class for each store, whatever the format: see `zarrds.storage`."""
