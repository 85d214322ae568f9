# Completions of fish for autojit, autojit-run and autojitd. The lists are written from the programs' tables.

complete -c autojit -x -a '(__fish_complete_subcommand)'
# begin autojit
complete -c autojit -l version -d 'print the version and the plugin\'s digest'
complete -c autojit -l help -d 'print this help'
# end autojit

complete -c autojit-run -x -a '(__fish_complete_subcommand --trace)'
# begin autojit-run
complete -c autojit-run -l stats -d 'print at exit what was compiled, by what and how long it took; as JSON in FILE (%p in the name: the process id)'
complete -c autojit-run -l trace -r -F -d 'write at exit a timeline of first calls, which ui.perfetto.dev shows, to FILE (%p likewise)'
complete -c autojit-run -l progress -d 'while a large program warms up, show on the terminal how many functions were compiled'
complete -c autojit-run -l daemon -d 'have autojitd compile; start it if it does not run yet'
complete -c autojit-run -l inprocess -d 'have the program compile for itself, whether or not autojitd runs'
complete -c autojit-run -l list -r -F -d 'print what is lazy in programs, libraries, object files and archives'
complete -c autojit-run -l where -x -d 'print which lazy functions of object files and archives refer to a symbol or define it, and their lines'
complete -c autojit-run -l core-lines -x -d 'write the lines of compiled code in a core file to FILE, and print gdb\'s command for it'
complete -c autojit-run -l doctor -d 'check compilers, installation, cache, limits and kernel, and say how to mend what is wrong'
complete -c autojit-run -l cache-stats -d 'print what the cache of compiled code has: directory, limit, files and bytes of each kind'
complete -c autojit-run -l cache-clear -d 'remove what it has; running programs go on'
complete -c autojit-run -l version -d 'print the version'
complete -c autojit-run -l help -d 'print this help'
# end autojit-run

complete -c autojitd -f
# begin autojitd
complete -c autojitd -l detach -d 'go to the background once programs are served; nothing happens if a daemon serves them already'
complete -c autojitd -l stdio -d 'serve one client on standard input and output, and end with it'
complete -c autojitd -l status -d 'print what the daemon does, as JSON'
complete -c autojitd -l stop -d 'end the daemon'
complete -c autojitd -l jobs -x -d 'compile up to N requests at the same time [number of processors]'
complete -c autojitd -l idle-exit -x -d 'end when no program was connected for so long [never]'
complete -c autojitd -l memory -x -d 'memory that compilers may have together before they are started anew [1024]'
complete -c autojitd -l version -d 'print the version'
complete -c autojitd -l help -d 'print this help'
# end autojitd
