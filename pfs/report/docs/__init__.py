"""What README.md and docs/ show that is made from the results and the code: tables and figures."""
