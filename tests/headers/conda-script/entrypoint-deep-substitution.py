# /// conda-script
# channels = ["conda-forge"]
# entrypoint = "a $(a $(a $(a $(a $(a $(a $(a $(a $(a $(a $(a $(a ))))))))))))"
# /// end-conda-script
