#compdef tracker

_tracker() {
    local -a whole parts
    local line value option
    [[ $words[CURRENT] == --*=* ]] && option=${words[CURRENT]%%=*}=
    for line in ${(f)"$(COLUMNS=9999 _TRACKER_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS=${words[1,CURRENT]} command $words[1] 2> /dev/null)"}; do
        value=$option${line%%$'\t'*}
        value=${${value//\\/\\\\}//:/\\:}
        [[ $line == *$'\t'* ]] && value+=:${line#*$'\t'}
        if [[ $line == [^$'\t']#[=:]($'\t'*|) ]]; then
            parts+=($value)
        else
            whole+=($value)
        fi
    done
    if (( $#whole + $#parts )); then
        _describe -t values value whole -- parts -S ''
    else
        _files
    fi
}

compdef _tracker tracker
