"""The servers that Tether is measured beside: three ways to answer the same operations from the same tables."""
