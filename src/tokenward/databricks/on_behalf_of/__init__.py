"""On-behalf-of: a caller's Entra token becomes an AzureDatabricks token of the same user."""
