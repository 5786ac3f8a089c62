" conda execute
" env:
"  - "vim >=9"
"" a note
" run_with: vim -S
