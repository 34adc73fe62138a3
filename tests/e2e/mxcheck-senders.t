#!/bin/sh
# bmx-mxcheck --senders and --without: what senders do, address by address, and
# where mail ends, by class of sender.
# shellcheck source=tests/lib/tap.sh source=tests/lib/peers.sh source=tests/lib/certs.sh
# shellcheck source=tests/lib/mailhosts.sh
. "${top_srcdir:-$(dirname "$0")/../..}/tests/lib/tap.sh"
. "$top_srcdir/tests/lib/peers.sh"
. "$top_srcdir/tests/lib/certs.sh"
. "$top_srcdir/tests/lib/mailhosts.sh"
need_unbound
need python3 ldns-keygen ldns-signzone certtool openssl

certs_make
cert good ca 'cn = "mx"' 'dns_name = "*.signed.test"' tls_www_server
cert self self 'cn = "mx"' 'dns_name = "*.signed.test"' tls_www_server
mailhosts_start <<'E'
127.0.1.1 tls=good
127.0.1.2 tls=self
127.0.1.3 banner=421_4.3.2_later
127.0.1.4 banner=554_5.7.1_no
127.0.1.5
E
pin=$(spki good)
nsd_zone signed.test <<Z
primary A 127.0.1.1
backup A 127.0.1.2
later A 127.0.1.3
no A 127.0.1.4
plain A 127.0.1.5
dead A 127.0.1.200
pair MX 10 primary
pair MX 20 backup
_25._tcp.primary TLSA 3 1 1 $pin
_25._tcp.backup TLSA 3 1 1 $pin
slow MX 10 dead
slow MX 20 later
slow MX 30 plain
put MX 10 later
put MX 20 dead
refuse MX 10 no
refuse MX 20 no
null MX 0 .
nowhere TXT "neither MX nor address"
Z
nsd_sign signed.test || bail "cannot sign"
nsd_start
unbound_start

# senders DOMAIN OPTION...: what is told of senders, times left out.
senders()
{
	senders_domain=$1
	shift
	timeout 60 bmx-mxcheck -q --resolver "$unbound" --ca-file "$certs/ca.pem" \
	    --smtp-port "$mail_port" --helo probe.example "$@" \
	    "$senders_domain.signed.test" 2>&1 |
	    sed -n '/^  senders/,$p' | sed 's/([0-9]* ms)/(N ms)/'
}

is "DNS only: the order, and nothing is known of the hosts" \
    "$(senders pair --senders)" \
    "  senders:
       10 primary.signed.test [127.0.1.1] not tried
       20 backup.signed.test [127.0.1.2] not tried
    plain    mail goes to primary.signed.test [127.0.1.1]
    DANE     mail goes to primary.signed.test [127.0.1.1]
    MTA-STS  mail goes to primary.signed.test [127.0.1.1]; as plain: there is no policy"

smtp=TCP-25,CERT,STARTTLS,TLSA-MATCH
is "with sessions" "$(senders pair --only $smtp --senders)" \
    "  senders:
       10 primary.signed.test [127.0.1.1] answers (N ms)
       20 backup.signed.test [127.0.1.2] answers (N ms)
    plain    mail arrives at primary.signed.test [127.0.1.1]
    DANE     mail arrives at primary.signed.test [127.0.1.1]
             not to backup.signed.test [127.0.1.2]: no TLSA record matches its certificate
    MTA-STS  mail arrives at primary.signed.test [127.0.1.1]; as plain: there is no policy"
like "the primary dies: senders with DANE lose the backup" \
    "$(senders pair --only $smtp --without primary.signed.test | tr '\n' '|')" \
    "^  senders, without primary\\.signed\\.test:\|\
       10 primary\\.signed\\.test \[127\\.0\\.1\\.1\] taken away\|\
       20 backup\\.signed\\.test \[127\\.0\\.1\\.2\] answers \(N ms\)\|\
    plain    mail arrives at backup\\.signed\\.test \[127\\.0\\.1\\.2\], after up to 3[0-9] s\|\
    DANE     mail waits at the senders', some days\|\
             not to backup\\.signed\\.test \[127\\.0\\.1\\.2\]: no TLSA record matches its certificate\|\
    MTA-STS  mail arrives at backup\\.signed\\.test .*; as plain: there is no policy\|\$"
out=$(senders pair --only $smtp --without 127.0.1.0/31)
like "a network takes its addresses" "$out" 'primary.*taken away'
like "and no others" "$out" 'plain +mail arrives at backup'
like "an address takes itself" \
    "$(senders pair --only $smtp --without 127.0.1.2)" 'backup.*taken away'
like "both away, and everything waits" \
    "$(senders pair --only $smtp --without 127.0.1.0/24 --without 2001:db8::/32)" \
    "plain +mail waits"
unlike "all of IPv6 takes no IPv4 with it" \
    "$(senders pair --only $smtp --without ::/0)" 'taken away'
out=$(senders slow --only $smtp --senders)
like "a dead host is passed over" "$out" '10 dead.*does not answer \(N ms\): '
like "so is one that says later" "$out" '20 later.*puts senders off .*421'
like "the third gets it" "$out" 'plain +mail arrives at plain'
like "only 4yz and dead hosts: mail waits" \
    "$(senders put --only $smtp --senders)" 'plain +mail waits'
like "all refuse: mail is returned" \
    "$(senders refuse --only $smtp --senders)" 'plain +mail is returned'
like "null MX: mail is returned" "$(senders null --senders)" 'plain +mail is returned'
like "no host at all: mail is returned" "$(senders nowhere --senders)" \
    'plain +mail is returned'
bmx-mxcheck -q --resolver "$unbound" --senders elsewhere.example >"$tmp/out" 2>&1
like "unknown: mail waits" "$(cat "$tmp/out")" 'plain +mail waits'
is "nothing where it is not asked for" "$(senders pair)" ""

# ---- MTA-STS, and a backup that the policy forgot ----

# policy MODE HOST...
policy()
{
	echo 'version: STSv1'
	echo "mode: $1"
	echo 'max_age: 86400'
	shift
	printf 'mx: %s.signed.test\n' "$@"
}
sts()
{
	senders pair --only $smtp,STS-COVERS --sts-policy "$tmp/policy" "$@" |
	    sed -n '/^    MTA-STS/,$p' | tr '\n' '|'
}
policy enforce primary >"$tmp/policy"
like "senders with MTA-STS use the primary" "$(sts --senders)" \
    'MTA-STS  mail arrives at primary[^;]*\|.*not to backup.*: the policy does not name it'
like "and never the backup" "$(sts --without primary.signed.test)" \
    "MTA-STS  mail waits at the senders', some days\|.*the policy does not name it"
policy enforce primary backup >"$tmp/policy"
like "nor one whose certificate nobody knows" "$(sts --without primary.signed.test)" \
    "MTA-STS  mail waits.*not to backup.*it has no valid certificate"
policy testing primary >"$tmp/policy"
like "in mode testing they do" "$(sts --without primary.signed.test)" \
    'MTA-STS  mail arrives at backup.*; as plain: the policy is not enforced'

sts_policy()
{
	bmx-mxcheck -q --resolver "$unbound" --only STS-POLICY,STS-COVERS "$@" 2>&1
}
sts_policy --sts-policy "$tmp/policy" --record "$tmp/facts" pair.signed.test >"$tmp/first"
like "a policy is recorded" "$(cat "$tmp/first")" 'STS-COVERS +backup'
bmx-mxcheck -q --only STS-POLICY,STS-COVERS --replay "$tmp/facts" >"$tmp/again" 2>&1
same "and judged again" "$tmp/first" "$tmp/again"
label=$(printf '%063d' 0 | tr 0 a)
longest="*.$label.$label.$label.${label#aa}" # RFC 1035 2.3.4
{
	policy enforce primary
	echo "mx: $longest"
} >"$tmp/long"
sts_policy --sts-policy "$tmp/long" --record "$tmp/facts" pair.signed.test >"$tmp/first"
is "the longest pattern is recorded whole" "$(grep -Fc "\"$longest\"" "$tmp/facts")" 1
bmx-mxcheck -q --only STS-POLICY,STS-COVERS --replay "$tmp/facts" >"$tmp/again" 2>&1
same "and read again" "$tmp/first" "$tmp/again"
for file in none certs; do
	like "no policy can be read from $file" \
	    "$(sts_policy --sts-policy "$tmp/$file" pair.signed.test)" \
	    "^  unknown  pair\\.signed\\.test: .*$tmp/$file(: there is no such| is not a regular) file "
done

# ---- recorded, and for programs ----

senders pair --only $smtp --senders --record "$tmp/facts" >/dev/null
: >"$visits"
bmx-mxcheck -q --replay "$tmp/facts" --without primary.signed.test >"$tmp/out" 2>&1
like "an outage is rehearsed on recorded facts" "$(cat "$tmp/out")" \
    'DANE +mail waits'
is "and nobody is visited for it" "$(cat "$visits")" ""
bmx-mxcheck -q --json --replay "$tmp/facts" --without primary.signed.test |
    python3 -c 'import json, sys
s = json.loads(sys.stdin.readline())["senders"]
print(s["without"], [(t["host"], t["outcome"]) for t in s["tries"]],
      [(c["class"], c["fate"], c["host"], c["note"], len(c["passed_over"]))
       for c in s["classes"]])' >"$tmp/out" 2>&1
is "--json" "$(cat "$tmp/out")" \
    "['primary.signed.test'] [('primary.signed.test', 'taken away'), ('backup.signed.test', 'answers')] [('plain', 'arrives', 'backup.signed.test', '', 0), ('DANE', 'waits', None, '', 1), ('MTA-STS', 'arrives', 'backup.signed.test', 'there is no policy', 0)]"
for word in 192.0.2.1/24 300.0.0.0/8 'a b' 192.0.2.1:25; do
	exits "--without $word is refused" 2 bmx-mxcheck --without "$word" example.com
done
done_testing
