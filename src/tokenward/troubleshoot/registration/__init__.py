"""An app registration examined by what Graph or the Azure CLI says of it, and what to change. It changes nothing."""
