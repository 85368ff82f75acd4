"""The claims ledger: which contrasts test which claim, what the runs say of each, and the verdict. No torch."""
