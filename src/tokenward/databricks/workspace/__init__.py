"""Questions to a workspace: who a caller is there, whose tenant it is, where its endpoints are."""
