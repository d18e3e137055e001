"""The token that requests carry: how it is got, kept alive, replaced and given back."""
