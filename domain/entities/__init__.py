"""The nouns: slotted dataclasses that hold state and decide about it. They do no input or output."""
