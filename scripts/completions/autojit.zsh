#compdef autojit autojit-run autojitd autojit-cc autojit-c++ autojit-clang
# Completions of zsh. The lists are written from the programs' tables.

local -a options
case $service in
    autojit)
        options=(
            # begin autojit
'--version[print the version and the plugin'\''s digest]'
'--help[print this help]'
            # end autojit
        )
        _arguments -S $options '(-)1:command: _command_names -e' '*::argument: _normal'
        ;;
    autojit-run)
        options=(
            # begin autojit-run
'--stats=-[print at exit what was compiled, by what and how long it took; as JSON in FILE (%p in the name\: the process id)]::FILE:_files'
'--trace=[write at exit a timeline of first calls, which ui.perfetto.dev shows, to FILE (%p likewise)]:FILE:_files'
'--progress[while a large program warms up, show on the terminal how many functions were compiled]'
'--daemon[have autojitd compile; start it if it does not run yet]'
'--inprocess[have the program compile for itself, whether or not autojitd runs]'
'--list[print what is lazy in programs, libraries, object files and archives]:*:FILE:_files'
'--where[print which lazy functions of object files and archives refer to a symbol or define it, and their lines]:*:SYMBOL FILE: '
'--core-lines[write the lines of compiled code in a core file to FILE, and print gdb'\''s command for it]:*:CORE FILE: '
'--doctor[check compilers, installation, cache, limits and kernel, and say how to mend what is wrong]'
'--cache-stats[print what the cache of compiled code has\: directory, limit, files and bytes of each kind]'
'--cache-clear[remove what it has; running programs go on]'
'--version[print the version]'
'--help[print this help]'
            # end autojit-run
        )
        _arguments $options '(-)1:program: _command_names -e' '*::argument: _normal'
        ;;
    autojitd)
        options=(
            # begin autojitd
'--detach[go to the background once programs are served; nothing happens if a daemon serves them already]'
'--stdio[serve one client on standard input and output, and end with it]'
'--status[print what the daemon does, as JSON]'
'--stop[end the daemon]'
'--jobs=[compile up to N requests at the same time \[number of processors\]]:N: '
'--idle-exit=[end when no program was connected for so long \[never\]]:SECONDS: '
'--memory=[memory that compilers may have together before they are started anew \[1024\]]:MEGABYTES: '
'--version[print the version]'
'--help[print this help]'
            # end autojitd
        )
        _arguments $options
        ;;
    *)
        _gcc
        ;;
esac
