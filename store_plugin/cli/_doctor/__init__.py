"""What `store-plugin doctor` looks at: each module one thing, as findings for a person."""
