"""What a workspace depends on, examined from this machine: names, certificates, clocks, discovery documents, keys."""
