# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for rekindlectl: verbs, devices as list knows them, options.

_rekindlectl_devices() {
        rekindlectl --no-color list 2>/dev/null | tail -n +2 | while read -r device _; do
                printf '%s\n' "$device"
        done
}

_rekindlectl_ports() {
        rekindlectl --no-color ports 2>/dev/null | sed '1d; /^$/,$d' | while read -r port _; do
                printf '%s\n' "$port"
        done
}

_rekindlectl() {
        local current=${COMP_WORDS[COMP_CWORD]} verb='' second='' word
        local -i i

        for ((i = 1; i < COMP_CWORD; i++)); do
                word=${COMP_WORDS[i]}
                case $word in
                -*) ;;
                *) if [[ -z $verb ]]; then verb=$word; elif [[ -z $second ]]; then second=$word; fi ;;
                esac
        done

        COMPREPLY=()
        if [[ ${COMP_WORDS[COMP_CWORD - 1]} == --from ]]; then
                mapfile -t COMPREPLY < <(compgen -d -- "$current")
                return
        fi
        if [[ $current == -* ]]; then
                local options='--json --no-color --timeout --help'
                case $verb in
                '') options+=' --version' ;;
                check) options+=' --explain' ;;
                verify) options+=' --from' ;;
                update) options+=' --no-wait --from' ;;
                restore) options+=' --no-wait' ;;
                history) options+=' -n' ;;
                backup) [[ $second == adopt ]] && options+=' --version' ;;
                esac
                mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
                return
        fi
        case $verb:$second in
        :)
                mapfile -t COMPREPLY < <(compgen -W 'list status show check verify update restore cancel hold unhold accept approve clear-bad
                        backup ports history monitor' -- "$current")
                ;;
        backup:) mapfile -t COMPREPLY < <(compgen -W 'list check adopt images' -- "$current") ;;
        ports:) mapfile -t COMPREPLY < <(compgen -W 'release' -- "$current") ;;
        ports:release) mapfile -t COMPREPLY < <(compgen -W "$(_rekindlectl_ports)" -- "$current") ;;
        backup:images | list:* | status:* | verify:*) ;;
        backup:adopt) mapfile -t COMPREPLY < <(compgen -W "$(_rekindlectl_devices)" -- "$current"; compgen -f -- "$current") ;;
        backup:* | *:) mapfile -t COMPREPLY < <(compgen -W "$(_rekindlectl_devices)" -- "$current") ;;
        esac
}

complete -F _rekindlectl rekindlectl
