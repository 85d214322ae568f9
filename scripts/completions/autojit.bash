# Completions of bash for autojit, autojit-run and autojitd. The lists are written from the programs' tables.

# begin autojit
_autojit_options=(--version --help)
_autojit_valued=()
# end autojit
# begin autojit-run
_autojit_run_options=(--stats --trace --progress --daemon --inprocess --list --where --core-lines --doctor --cache-stats --cache-clear --version --help --)
_autojit_run_valued=(--trace)
# end autojit-run
# begin autojitd
_autojitd_options=(--detach --stdio --status --stop --jobs --idle-exit --memory --version --help)
_autojitd_valued=(--jobs --idle-exit --memory)
# end autojitd

# Options of the program in ${options[@]}, then a command with its own completions.
_autojit_command() {
    local word=${COMP_WORDS[COMP_CWORD]} index
    for ((index = 1; index < COMP_CWORD; index++)); do
        case ${COMP_WORDS[index]} in
            --list) return 0 ;;
            --) index=$((index + 1)); break ;;
            =) index=$((index + 1)) ;;
            -*)
                [[ " ${valued[*]} " == *" ${COMP_WORDS[index]} "* ]] || continue
                # The value of this one is next, with or without "=".
                ((index + 1 < COMP_CWORD)) || return 0
                [[ ${COMP_WORDS[index + 1]} == = ]] || index=$((index + 1))
                ;;
            *) break ;;
        esac
    done
    if ((index < COMP_CWORD)); then
        # The function of bash-completion; without it files are completed.
        declare -F _command_offset >/dev/null && _command_offset "$index"
    elif [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "${options[*]}" -- "$word")
    elif [[ ${COMP_WORDS[COMP_CWORD - 1]} != = && $word != = ]]; then
        mapfile -t COMPREPLY < <(compgen -c -- "$word")
    fi
}

_autojit() {
    local options=("${_autojit_options[@]}") valued=()
    _autojit_command
}

_autojit_run() {
    local options=("${_autojit_run_options[@]}") valued=("${_autojit_run_valued[@]}")
    _autojit_command
}

_autojitd() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    [[ " ${_autojitd_valued[*]} " == *" $before "* || $before == = || $word == = ]] && return 0
    mapfile -t COMPREPLY < <(compgen -W "${_autojitd_options[*]}" -- "$word")
}

complete -o default -F _autojit autojit
complete -o default -F _autojit_run autojit-run
complete -F _autojitd autojitd
