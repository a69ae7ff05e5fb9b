#!/usr/bin/env bash
# typer 0.29.2 with rich 15.0.0: a long help text breaks the completion of fish and PowerShell.
#
# Typer renders the help of an option with rich before it prints the completion as a line "value TAB help", and rich
# wraps at the width of the terminal, which is 80 columns where there is none. The shells read lines: each further
# line of the help becomes a completion of its own, and is offered as a value. Completion of zsh quotes the help, so
# that its line breaks do no harm, and that of bash leaves the help out.
# Until that is changed, set COLUMNS to a large number in the script that the shell runs.
#
# Output seen:
#   fish, 80 columns: 3 completions: --name, word, word
#   fish, 9999 columns: 1 completions: --name
#   powershell, 80 columns: 3 completions: --name, word, word
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" --quiet --disable-pip-version-check install typer==0.29.2 rich==15.0.0
cat >"$folder/app.py" <<'PY'
import typer

app = typer.Typer()


@app.command()
def main(name: str = typer.Option("", help=" ".join(["word"] * 40))) -> None:
    """Do nothing."""


app(prog_name="app")
PY
complete() {
	env COLUMNS="$2" _APP_COMPLETE="complete_$1" _TYPER_COMPLETE_FISH_ACTION=get-args \
		_TYPER_COMPLETE_ARGS="app --na" _TYPER_COMPLETE_WORD_TO_COMPLETE=--na \
		"$folder/venv/bin/python" "$folder/app.py" |
		sed '/^$/d; s/\t.*//; s/:::.*//; s/ .*//' >"$folder/values"
	echo "$1, $2 columns: $(wc -l <"$folder/values") completions: $(paste -sd, "$folder/values" | sed 's/,/, /g')"
}
{
	complete fish 80
	complete fish 9999
	complete powershell 80
} >"$folder/seen"
diff - "$folder/seen" <<'SEEN'
fish, 80 columns: 3 completions: --name, word, word
fish, 9999 columns: 1 completions: --name
powershell, 80 columns: 3 completions: --name, word, word
SEEN
echo "as described"
