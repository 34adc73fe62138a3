# shellcheck shell=sh
# Certificates for tests, after tap.sh, made anew each time: no key is stored.
#
#	certs_make		the roots ca and other-ca; $certs
#	cert NAME CA [LINE...]	a certificate of that root, with these lines of
#				certtool's template: $certs/NAME.pem, NAME.key,
#				NAME.chain (with its root)
#	cert NAME self ...	one that is its own root
#	cert_type=rsa		instead of ecdsa
#	cert_san NAME HEX	one of ca, with this DER as subjectAltName, whatever
#				it is
#	spki NAME, digest NAME	SHA-256 of its public key, of itself, in hex

certs_make()
{
	need certtool openssl
	certs=$tmp/certs
	mkdir "$certs"
	cert ca self 'cn = "Test Root"' ca cert_signing_key
	cert other-ca self 'cn = "Another Root"' ca cert_signing_key
}

cert()
{
	cert_name=$1
	cert_ca=$2
	shift 2
	(
		cd "$certs" || exit 1
		certtool --generate-privkey --key-type "${cert_type:-ecdsa}" \
		    --outfile "$cert_name.key"
		printf '%s\n' "$@" >"$cert_name.template"
		grep -q expiration "$cert_name.template" ||
		    echo 'expiration_days = 2' >>"$cert_name.template"
		if [ "$cert_ca" = self ]; then
			cert_how=--generate-self-signed
			cert_root=/dev/null
		else
			cert_root=$cert_ca.pem
			cert_how="--generate-certificate
			    --load-ca-privkey $cert_ca.key
			    --load-ca-certificate $cert_root"
		fi
		# shellcheck disable=SC2086 # a list of words
		certtool $cert_how --load-privkey "$cert_name.key" \
		    --template "$cert_name.template" --outfile "$cert_name.pem"
		cat "$cert_name.pem" "$cert_root" >"$cert_name.chain"
	) >"$tmp/certtool.log" 2>&1
	[ -s "$certs/$cert_name.pem" ] || bail "certtool: $(cat "$tmp/certtool.log")"
}

cert_san()
{
	(
		cd "$certs" || exit 1
		echo "subjectAltName = DER:$2" >"$1.ext"
		openssl req -new -newkey rsa:2048 -nodes -subj "/CN=$1" \
		    -keyout "$1.key" -out "$1.csr"
		openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key \
		    -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.pem"
		cat "$1.pem" ca.pem >"$1.chain"
	) >"$tmp/openssl.log" 2>&1
	[ -s "$certs/$1.pem" ] || bail "openssl: $(cat "$tmp/openssl.log")"
}

spki()
{
	openssl x509 -in "$certs/$1.pem" -noout -pubkey |
	    openssl pkey -pubin -outform DER | sha256sum | cut -d ' ' -f 1
}

digest()
{
	openssl x509 -in "$certs/$1.pem" -outform DER | sha256sum |
	    cut -d ' ' -f 1
}
