_tracker_completion() {
    local typed=${COMP_LINE:0:COMP_POINT} option= value place
    # What precedes the text that bash completes: an opening quote, or the word up to a colon or the like.
    [[ ${typed%"$2"} =~ (\\.|[^[:space:]\\])*$ ]]
    local before=${BASH_REMATCH[0]} kept=
    [[ $before$2 =~ ^--[^=]*= ]] && option=${BASH_REMATCH[0]}
    [[ $2 == @* ]] && kept=@
    local breaks=${before//\\?/}$kept
    breaks=${breaks//[^:=@]/}
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        [[ -n $value ]] || continue
        value=$option$value
        case $before in
            *\') value=${value//\'/\'\\\'\'} ;;
            *\") value=${value//\\/\\\\} value=${value//\"/\\\"} value=${value//\$/\\\$} value=${value//\`/\\\`} ;;
            *) printf -v value %q "$value" ;;
        esac
        for ((place = 0; place < ${#breaks}; place++)); do
            value=${value#*[:=@]}
        done
        COMPREPLY+=("$kept$value")
    done < <(COLUMNS=9999 _TRACKER_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS=$typed command "$1" 2> /dev/null)
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[=:] ]]; then
        compopt -o nospace
    fi
}

complete -o default -F _tracker_completion tracker
