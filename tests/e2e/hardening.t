#!/bin/sh
# The programs are built as configure says they are: position independent, what
# is relocated read-only, stacks guarded, checked copies; and the units give
# away no more than they have to.
# shellcheck source=tests/lib/tap.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
need readelf
flags=$(sed -n 's/^HARDEN_CFLAGS = *//p' "$top_builddir/Makefile")
[ -n "$flags" ] || skip_all 'built without hardening'

has_flag()
{
	case " $flags " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

for file in bmx-receive bmx-flush bmx-queue bmx-probe bmx-mxcheck bmx-tls.so \
    bmx-dane.so bmx-https.so; do
	binary=$top_builddir/$file
	like "$file: position independent" "$(readelf -hW "$binary")" 'Type: +DYN'
	case $file in
	*.so) ;;
	*) like "$file: and a program" "$(readelf -dW "$binary")" 'FLAGS_1.* PIE' ;;
	esac
	unlike "$file: no code is relocated" "$(readelf -dW "$binary")" 'TEXTREL'
	unlike "$file: what is written is not run" "$(readelf -lW "$binary")" ' RWE '
	like "$file: relocations are read-only" "$(readelf -lW "$binary")" 'GNU_RELRO'
	like "$file: all of them are made at the start" \
	    "$(readelf -dW "$binary")" 'BIND_NOW|FLAGS.*NOW'
	unlike "$file: no stack is code" "$(readelf -lW "$binary" | grep GNU_STACK)" 'RWE'
	unlike "$file: finds no library where it was built" \
	    "$(readelf -dW "$binary")" 'RPATH|RUNPATH'
	if has_flag -fstack-protector-strong; then
		like "$file: guarded stacks" "$(readelf -sW --dyn-syms "$binary")" '__stack_chk_fail'
	else
		skip "$file: guarded stacks" 'the compiler has none'
	fi
	if has_flag -D_FORTIFY_SOURCE=2; then
		like "$file: checked copies" "$(readelf -sW --dyn-syms "$binary")" '_chk'
	else
		skip "$file: checked copies" 'not with these flags'
	fi
	is "$file: neither setuid nor setgid" \
	    "$(find "$binary" -perm /6000)" ''
done

# In what was compiled: a program's own note also needs the C library's.
if has_flag -fcf-protection; then
	find "$top_builddir/bin" "$top_builddir/lib" -name '*.o' | sort >"$tmp/objects"
	# shellcheck disable=SC2046 # no blank in them
	is "all objects: functions are marked as targets, returns are watched" \
	    "$(readelf -nW $(cat "$tmp/objects") | grep -c 'x86 feature: IBT, SHSTK')" \
	    "$(wc -l <"$tmp/objects" | tr -d ' ')"
else
	skip 'control flow is watched' 'not on this machine'
fi

if command -v systemd-analyze >/dev/null &&
    systemd-analyze security --help 2>/dev/null | grep -q offline; then
	for unit in "$top_builddir"/scripts/examples/*.service; do
		name=${unit##*/}
		mkdir -p "$tmp/units"
		# a program that is there, or the unit counts as broken
		sed "s,^ExecStart=[^ ]*,ExecStart=/bin/true," "$unit" >"$tmp/units/$name"
		ok "$name: systemd finds little exposed (2.0 of 10 at most)" \
		    systemd-analyze security --offline=true --threshold=20 "$tmp/units/$name"
	done
else
	skip 'the units' 'systemd-analyze is not installed, or too old'
fi
done_testing
