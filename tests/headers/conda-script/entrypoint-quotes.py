# /// conda-script
# channels = ["conda-forge"]
# entrypoint = """a 'b c' "d e" f'g h'"i j" '' "" x"""
# /// end-conda-script
