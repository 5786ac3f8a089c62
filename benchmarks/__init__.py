"""What a run costs, measured beside the bare interpreter and other runners: `make bench`.

`world` sets up a machine of its own, `timing` measures, `cases` says what, `report` makes a table and a plot of it.
All figures of a report come from one run of one machine; between runs and machines only ratios mean anything.
"""
