"""How AWS is reached: clients, shared by the configs that may share them, and their logins."""
