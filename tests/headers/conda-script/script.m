%% /// conda-script
%% channels = ["conda-forge"]
%% entrypoint = "octave --eval 'pkg load x' && octave ${SCRIPT}"
%% [dependencies]
%% octave = "*"
%% /// end-conda-script
