:: conda execute
:: env: [python]
python --version
