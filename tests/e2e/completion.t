#!/bin/sh
# scripts/completion in a real bash: what it offers is what the programs say of
# themselves, and nothing that they refuse.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
need bash
PATH=$top_srcdir/scripts:$PATH
make_conf '[a.example]' 'primary = 127.0.0.1:9' '[b.example]' 'primary = 127.0.0.1:9'

# offers WORD...: what bash offers for the last one
offers()
{
	bash -c '
		. "$top_srcdir/scripts/completion" || exit 1
		COMP_WORDS=("$@")
		COMP_CWORD=$(($# - 1))
		previous=
		[ $# -lt 2 ] || previous=${COMP_WORDS[$# - 2]}
		_bmx "$1" "${COMP_WORDS[$# - 1]}" "$previous"
		[ ${#COMPREPLY[@]} -eq 0 ] || printf "%s\n" "${COMPREPLY[@]}"' bash "$@" |
	    sort | tr '\n' ' '
}
like "it is set for every program" "$(bash -c '. "$top_srcdir/scripts/completion"; complete -p')" \
    'complete .*-F _bmx bmx-probe$'
is "an option" "$(offers bmx-probe --rep)" '--report '
is "options of a verb" "$(offers bmx-queue list --su)" '--summary '
is "a verb" "$(offers bmx-queue rel)" 'release '
is "a verb of two words" "$(offers bmx-queue recipients '')" 'diff export forget import list '
is "which are no verbs alone" "$(offers bmx-queue dif)" ''
is "domains of bmx.conf" "$(offers bmx-flush '')" 'a.example b.example '
is "by their beginning" "$(offers bmx-probe -n b)" 'b.example '
is "of another bmx.conf" "$(sed 's/a\.example/c.example/' "$BMX_CONF" >"$tmp/other"
	offers bmx-flush -c "$tmp/other" '')" 'b.example c.example '
is "of one behind an equals sign" "$(offers bmx-flush --config = "$tmp/other" '')" \
    'b.example c.example '
is "files for FILE" "$(offers bmx-mxcheck -f "$tmp/oth")" "$tmp/other "
is "files behind an equals sign" "$(offers bmx-mxcheck --record = "$tmp/oth")" "$tmp/other "
is "nothing for a number" "$(offers bmx-probe --timeout '')" ''
is "domains of a script's" "$(offers bmx-report a)" 'a.example '
like "a script's options" "$(offers bmx-drill -)" '-c .*-m .*-t '
is "without a bmx.conf no domain, and no word" \
    "$(BMX_CONF=$tmp/none offers bmx-flush '' 2>&1)" ''

printf 'EHLO c.example.org\r\nMAIL FROM:<x@example.org>\r\nRCPT TO:<y@a.example>\r\nDATA\r\n\r\n.\r\nQUIT\r\n' |
    bmx-receive >/dev/null 2>&1
id=$(bmx-queue list | cut -f 1)
is "an ID" "$(offers bmx-queue show "${id%??}")" "$id "

# ---- nothing is stale: each that is offered is taken ----

for program in bmx-queue bmx-flush bmx-probe bmx-mxcheck bmx-receive bmx-report; do
	unknown=
	for option in $(offers "$program" --); do
		# a usage error may follow, but not that there is no such option
		timeout 10 "$program" "$option" x --help </dev/null 2>&1 |
		    grep -Eiq 'unknown option|unrecognized' && unknown="$unknown $option"
	done
	is "$program knows what is offered" "$unknown" ''
	like "$program: something is" "$(offers "$program" --)" '--config .*--help '
done
unknown=
for verb in $(bash -c '. "$top_srcdir/scripts/completion"; _bmx_verbs bmx-queue'); do
	timeout 2 bmx-queue "$verb" </dev/null 2>&1 | grep -Eiq 'verb|neither' && unknown="$unknown $verb"
done
is "bmx-queue knows the verbs" "$unknown" ''
done_testing
