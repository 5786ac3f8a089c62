def main():
    # conda execute
    # env:
    #  - python
    #    # a note
    pass
