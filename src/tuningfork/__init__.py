"""Tuningfork turns images of galaxies into a morphology catalogue that a scientist can trust."""
