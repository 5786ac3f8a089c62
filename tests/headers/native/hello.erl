%% conda execute
%% env: [erlang]
%%% a note
%% run_with: escript
-module(hello).
