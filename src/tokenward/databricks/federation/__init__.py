"""Federation policies as Databricks keeps them: read, made into a Policy, and asked whether they would accept a token."""
