#!/bin/sh
# Build the fuzzers with clang and run each on its corpus:
#
#	tests/fuzz/run.sh [SECONDS [NAME...]]
#
# NAME is addr, smtp, dot ... (default: all), SECONDS for each (default: 60).
# What is found stays below $FUZZ_DIR (default: a new directory) with the
# inputs that were new; the corpora in the tree are only read.

set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
seconds=${1:-60}
[ $# -eq 0 ] || shift
if [ $# -eq 0 ]; then
	for harness in "$top"/tests/fuzz/fuzz_*.c; do
		name=${harness##*/fuzz_}
		set -- "$@" "${name%.c}"
	done
fi
dir=${FUZZ_DIR:-$(mktemp -d)}
failed=0

compile() { # OUTPUT ARGUMENT...
	output=$1
	shift
	${CLANG:-clang} -std=gnu11 -g -O1 -D_GNU_SOURCE \
		-DSYSCONFDIR='"/etc"' -DLOCALSTATEDIR='"/var"' \
		-DPKGLIBDIR='"/usr/lib/bmx"' \
		-DPACKAGE_NAME='"bmx"' -DPACKAGE_VERSION='"0"' \
		-fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=undefined \
		-I"$top/lib" -I"$top/bin" -o "$output" "$@"
}

# One archive of everything but main() and what GnuTLS is linked to; a file
# that does not compile is told, and missed only by the fuzzers that need it.
mkdir -p "$dir/obj"
rm -f "$dir/bmx.a"
for source in "$top"/lib/*/*.c "$top"/bin/*/*.c; do
	object=${source#"$top"/}
	object=$dir/obj/$(echo "${object%.c}" | tr / -).o
	case $source in
	*/main.c | */tls_module.c) ;;
	*) compile "$object" -c "$source" && ar qc "$dir/bmx.a" "$object" ||
		echo "not compiled: $source" >&2 ;;
	esac
done

for name; do
	mkdir -p "$dir/$name"
	if ! compile "$dir/fuzz_$name" -fsanitize=fuzzer \
		"$top/tests/fuzz/fuzz_$name.c" "$dir/bmx.a" \
		-lidn2 -lresolv -ldl; then
		failed=1
		continue
	fi
	corpus=$top/tests/fuzz/corpus/$name
	[ -d "$corpus" ] || corpus=
	(cd "$dir" && "./fuzz_$name" -max_total_time="$seconds" \
		-max_len=4096 -print_final_stats=1 "$name" \
		${corpus:+"$corpus"}) >"$dir/$name.log" 2>&1 || failed=1
	grep -E 'ERROR|SUMMARY|Assertion|number_of_executed_units' \
		"$dir/$name.log" | sed "s/^/$name: /"
done
echo "logs and inputs: $dir"
exit "$failed"
