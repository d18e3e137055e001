"""Kinds of store configs that plugins bring along, and their stores."""
