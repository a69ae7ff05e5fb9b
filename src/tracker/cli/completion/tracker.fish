function __tracker_completions
    set --local option (string match --regex -- '^--[^=]*=' (commandline --current-token --cut-at-cursor))
    set --local found (COLUMNS=9999 _TRACKER_COMPLETE=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \
        _TYPER_COMPLETE_ARGS=(commandline --current-process --cut-at-cursor | string collect) \
        command tracker 2> /dev/null | string match --regex '.+')
    if set --query found[1]
        printf '%s\n' "$option"$found
    else
        __fish_complete_path (commandline --current-token --cut-at-cursor)
    end
end

complete --command tracker --no-files --arguments '(__tracker_completions)'
