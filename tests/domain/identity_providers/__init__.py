"""What is fetched from identity providers, and which of their tokens open Tether."""
