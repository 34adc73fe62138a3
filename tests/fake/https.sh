# shellcheck shell=sh
# The web server of a domain's MTA-STS policy, for tests in sh, after tap.sh,
# hosts.sh, certs.sh and primary.sh. fake/https.py says what it does with its
# files.
#
#	web_hosts		another host, for it on $web, port 443, and for the
#				fake primary on $mx1, port 25
#	web_make NAME		start it, with the certificate certs.sh made
#	web_shows NAME		another one, from now on
#	policy MODE [MX...]; answers STATUS TYPE <BODY
#	stop web; web_start
#	fetches			how often it was asked

# shellcheck disable=SC2034 # for primary.sh
web_hosts()
{
	certs_make
	primary_make
	primary_port=25
	web=198.51.100.2
	mx1=198.51.100.3
	hosts_start $web $mx1
	primary_where=$there
}

web_make()
{
	mkdir "$tmp/web"
	web_shows "$1"
	web_start
}

# answers STATUS TYPE: what stdin has is what the web server says.
answers()
{
	cat >"$tmp/body"
	{
		printf 'HTTP/1.1 %s\r\nContent-Type: %s\r\n' "$1" "$2"
		printf 'Content-Length: %d\r\nConnection: close\r\n' "$(wc -c <"$tmp/body")"
		printf 'Location: https://mta-sts.example.com/elsewhere\r\n\r\n'
		cat "$tmp/body"
	} >"$tmp/web/answer"
}

# policy MODE [MX...]: published as it should be, good for a week.
policy()
{
	{
		printf 'version: STSv1\nmode: %s\nmax_age: 604800\n' "$1"
		shift
		[ $# -eq 0 ] || printf 'mx: %s\n' "$@"
	} >"$tmp/policy"
	answers '200 OK' text/plain <"$tmp/policy"
}

web_shows()
{
	cp "$certs/$1.chain" "$tmp/web/chain"
	cp "$certs/$1.key" "$tmp/web/key"
}

web_start()
{
	rm -f "$tmp/web.log"
	# shellcheck disable=SC2086 # words
	start_bg web $there python3 "$top_srcdir/tests/fake/https.py" "$web" 443 "$tmp/web"
	wait_up web
}

fetches()
{
	: >>"$tmp/web/log"
	wc -l <"$tmp/web/log" | tr -d ' '
}
