#!/usr/bin/env bash
# zensical 0.0.73: with its plugin `offline`, a site loads a script from a CDN that it doesn't load without it.
#
# The plugin is there so that a site works without a server: it also writes the index of the search as a script, since
# browsers start no worker from file:// addresses. But it then adds a script to every page that isn't part of the site:
# without internet access, and under a Content-Security-Policy of 'self', it is the one thing that fails. Without the
# plugin the site asks no other host for a script, a sheet or a picture (with `font = false`), and lacks search.js.
#
# Output seen:
#   without offline: 0 scripts of other hosts, index: search.json
#   with offline: 1 scripts of other hosts (unpkg.com), index: search.js search.json
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check zensical==0.0.73
mkdir "$folder/docs"
printf '# Home\n\nOne page.\n' >"$folder/docs/index.md"
cd "$folder"
for plugin in without with; do
	printf '[project]\nsite_name = "Site"\nuse_directory_urls = false\n[project.theme]\nfont = false\n' >zensical.toml
	[ "$plugin" = without ] || printf '[project.plugins.offline]\n' >>zensical.toml
	venv/bin/zensical build --clean >log 2>&1
	hosts=$(grep -oE '<script[^>]+src="?https?://[^/" ]+' site/index.html | sed 's#.*//##' | sort -u || true)
	number=$(printf %s "$hosts" | grep -c . || true)
	echo "$plugin offline: $number scripts of other hosts${hosts:+ ($hosts)}, index: $(cd site && echo search.js*)"
done >seen
diff - seen <<'SEEN'
without offline: 0 scripts of other hosts, index: search.json
with offline: 1 scripts of other hosts (unpkg.com), index: search.js search.json
SEEN
echo "as described"
