"""The stores that ship with store-plugin; each is found by its entry point."""
