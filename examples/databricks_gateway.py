"""A gateway in front of a workspace: callers come with their own provider's JWT, Databricks sees the exchanged token.

python -m tokenward.testing.workspace --port 8500                                   # prints an account_id
curl -s http://127.0.0.1:8500/control/policies > policies.json                      # Databricks' own form of policies
DATABRICKS_HOST=http://127.0.0.1:8500 DATABRICKS_ACCOUNT_ID=... POLICIES=policies.json uvicorn databricks_gateway:app
"""

import os
import sys
from pathlib import Path

from tokenward.databricks import Exchange, Gateway, policy_of, read_policies

host = os.environ.get("DATABRICKS_HOST") or sys.exit("Set DATABRICKS_HOST: the workspace, such as adb-1.2.azuredatabricks.net.")
file = os.environ.get("POLICIES") or sys.exit("Set POLICIES: a file of your account's federation policies, as JSON.")
policies = read_policies(Path(file).read_bytes(), account_id=os.environ.get("DATABRICKS_ACCOUNT_ID"))
users = [policy for policy in policies if policy.is_account_wide]  # callers act as themselves, not as a service principal

app = Gateway(policy_of(users), host, credentials=Exchange(host), allow=["sql", "serving", "files", "me"])
