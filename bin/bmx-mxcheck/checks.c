#include "checks.h"

#include <string.h>
#include <strings.h>

/* clang-format off */
const struct check checks[CHECK_COUNT] = {
	[CHECK_MX_EXISTS] = { "MX-EXISTS", SEVERITY_ERROR,
	    "The domain has at least one MX record.",
	    "RFC 5321 5.1",
	    "Mail for a domain that does not exist, or has neither MX records nor an "
	    "address, comes back to its sender at once. A warning only where there is an "
	    "address to fall back to.",
	    "Publish the MX records, or correct the spelling of the domain." },
	[CHECK_MX_NULL] = { "MX-NULL", SEVERITY_INFO,
	    "The domain does not declare that it accepts no mail (one MX record, "
	    "preference 0, the root as host).",
	    "RFC 7505 3",
	    "Senders return every message at once and try no backup. Right for a domain "
	    "without mail; an error for one that is to be backed up.",
	    "If the domain is to receive mail, replace the null MX by its mail hosts." },
	[CHECK_MX_NULL_MIXED] = { "MX-NULL-MIXED", SEVERITY_ERROR,
	    "The root is no MX host, unless it is the only one and has preference 0.",
	    "RFC 7505 3",
	    "A null MX beside other records, or with another preference, says two things: "
	    "some senders return the mail, some try the other hosts.",
	    "Remove the record with the root, or all others." },
	[CHECK_MX_IMPLICIT] = { "MX-IMPLICIT", SEVERITY_WARNING,
	    "Delivery does not fall back to the address of the domain itself.",
	    "RFC 5321 5.1",
	    "Without MX records senders go to the domain's own address. No backup is "
	    "possible, and some senders do not do it at all.",
	    "Publish MX records: the primary, and the backup with a higher number." },
	[CHECK_MX_ONE] = { "MX-ONE", SEVERITY_WARNING,
	    "There are at least two MX hosts that do not all share the same addresses.",
	    "operational",
	    "With one host, or with several names for one, there is no backup.",
	    "Publish a second host with an address of its own and a higher preference." },
	[CHECK_MX_OWNER_ALIAS] = { "MX-OWNER-ALIAS", SEVERITY_INFO,
	    "The domain itself is not an alias (CNAME).",
	    "RFC 5321 5.1, RFC 1034 3.6.2",
	    "An alias is legal here, and senders follow it. It means that the MX records "
	    "are those of another domain, maybe under other hands. A chain that loops or "
	    "has more than 8 steps is an error: senders give up.",
	    "Nothing, if it is meant. A loop: point the alias at a name that has records." },
	[CHECK_MX_TARGET_ALIAS] = { "MX-TARGET-ALIAS", SEVERITY_ERROR,
	    "No MX host is an alias (CNAME).",
	    "RFC 2181 10.3, RFC 5321 5.1",
	    "Some senders refuse such a host, and a backup cannot find itself in the list "
	    "under its other name, so that mail can loop.",
	    "Let the MX record name the host itself, the last name of the chain." },
	[CHECK_MX_TARGET_IP] = { "MX-TARGET-IP", SEVERITY_ERROR,
	    "No MX host is an address, or looks like one (last label all digits).",
	    "RFC 1035 3.3.9, RFC 1123 2.1",
	    "An MX record holds a name. Senders look the address up as if it were one, "
	    "and find nothing.",
	    "Give the host a name with an A or AAAA record, and use the name." },
	[CHECK_MX_TARGET_NAME] = { "MX-TARGET-NAME", SEVERITY_ERROR,
	    "Each MX host has a legal host name: letters, digits, hyphens, not localhost.",
	    "RFC 1123 2.1, RFC 3696 2, RFC 6761 6.3",
	    "Many senders refuse to look such a name up; localhost is the sender itself.",
	    "Rename the host; an underscore may become a hyphen." },
	[CHECK_MX_TARGET_NOADDR] = { "MX-TARGET-NOADDR", SEVERITY_ERROR,
	    "Each MX host has an address (A or AAAA).",
	    "RFC 5321 5.1",
	    "A host without address takes no mail; if it is the only one, mail comes back "
	    "to its sender.",
	    "Publish the address, or remove the MX record. A name that ends in the "
	    "domain's name twice lacks its final dot in the zone file." },
	[CHECK_MX_ADDR_SPECIAL] = { "MX-ADDR-SPECIAL", SEVERITY_ERROR,
	    "Each address of each MX host can be reached from the Internet.",
	    "RFC 6890 and the IANA special-purpose address registries",
	    "Private, loopback, link-local, documentation and similar addresses lead "
	    "senders into their own network, or nowhere.",
	    "Publish the public address; if only your own resolver says so (split DNS), "
	    "ask an outside one with --resolver." },
	[CHECK_MX_ADDR_DUP] = { "MX-ADDR-DUP", SEVERITY_WARNING,
	    "No two MX hosts reach the same address.",
	    "operational",
	    "When the one dies the other dies too: the redundancy is imaginary, and each "
	    "sender waits for the same dead address twice.",
	    "Give each host an address of its own, or drop one of the records." },
	[CHECK_MX_NAME_DUP] = { "MX-NAME-DUP", SEVERITY_WARNING,
	    "No MX host is listed twice.",
	    "operational",
	    "The second record adds nothing but a second wait, and hides which preference "
	    "was meant.",
	    "Remove one of the records." },
	[CHECK_PREF_TIE] = { "PREF-TIE", SEVERITY_ERROR,
	    "The backup's preference differs from the primary's.",
	    "RFC 5321 5.1",
	    "Senders choose among equal hosts at random: the backup gets half of all mail, "
	    "and may not hand it to a host that is not better than itself.",
	    "Give the backup a higher number than the primary." },
	[CHECK_PREF_ORDER] = { "PREF-ORDER", SEVERITY_ERROR,
	    "Each primary is listed, and each backup comes after each primary (higher "
	    "number).",
	    "RFC 5321 5.1",
	    "Senders try the lowest number first. A backup that comes first gets all mail "
	    "while the primary is idle, and has no better host to hand it to.",
	    "Give the backup a higher number than every primary; list the primary." },
	[CHECK_SELF_LISTED] = { "SELF-LISTED", SEVERITY_ERROR,
	    "The backup (this host, unless --backup says otherwise) is an MX host, and "
	    "there is a better one to hand mail to.",
	    "RFC 5321 5.1",
	    "A backup that is not listed gets no mail when the primary dies. One that does "
	    "not find itself in the list cannot tell which hosts are better than itself; "
	    "one without a better host has nowhere to hand mail to, or mail loops.",
	    "List the backup with a higher number than the primary; if it is listed under "
	    "a name or address this host does not know as its own, add it to self in "
	    "bmx.conf." },
	[CHECK_TTL_RANGE] = { "TTL-RANGE", SEVERITY_NOTICE,
	    "The TTLs of the MX records and of the addresses are neither too short nor too "
	    "long (--ttl-min, --ttl-max).",
	    "RFC 1912 2.2",
	    "Very short: each message costs look-ups, and an outage of DNS is an outage of "
	    "mail (TTL 0 is a warning). Very long: a change takes as long to be seen.",
	    "An hour to a day suits mail. A short TTL out of a cache says nothing: ask an "
	    "authoritative server with --resolver." },
	[CHECK_TTL_RRSET] = { "TTL-RRSET", SEVERITY_NOTICE,
	    "All records of one name and type have the same TTL.",
	    "RFC 2181 5.2",
	    "Caches may drop one record before the others, so that senders see half a "
	    "list.",
	    "Give all records of the set the same TTL." },
	[CHECK_LOOP] = { "LOOP", SEVERITY_ERROR,
	    "The primary has no address of the backup.",
	    "RFC 5321 5.1, 6.3",
	    "The backup hands the mail to itself, and goes on doing so until the message "
	    "has too many Received fields and is returned.",
	    "Give primary and backup addresses of their own; behind NAT, let primary in "
	    "bmx.conf name the inside address." },
	[CHECK_NET_FATE] = { "NET-FATE", SEVERITY_WARNING,
	    "Not all addresses of the backup are in a network of the primary (IPv4 /24, "
	    "IPv6 /48).",
	    "RFC 2182 3.1 by analogy",
	    "What cuts the primary off, a line, a router, a power supply, cuts off the "
	    "backup with it.",
	    "Put the backup into another network, best at another site." },
	[CHECK_DNS_FATE_ZONE] = { "DNS-FATE-ZONE", SEVERITY_WARNING,
	    "The zone with the backup's name has a server outside the networks of the "
	    "primary (IPv4 /24, IPv6 /48).",
	    "RFC 2182 3.1 by analogy",
	    "When the primary's site is down the backup's name cannot be looked up any "
	    "more, so that nobody finds the backup.",
	    "Have a name server at another site, or name the backup in a zone that has.",
	    DEPTH_FULL },
	[CHECK_NS_SAME_MX] = { "NS-SAME-MX", SEVERITY_ERROR,
	    "Every authoritative server of the zone, asked at each of its addresses, "
	    "gives the same MX records, with authority.",
	    "RFC 2181 5, RFC 1034 4",
	    "Which list a sender sees is a matter of chance; some never hear of the "
	    "backup. (A server that refuses is a warning.)",
	    "Let the odd server get the zone again; look at its log for failed "
	    "transfers; take a server that does not serve the zone out of the NS records.",
	    DEPTH_FULL },
	[CHECK_NS_SAME_ADDR] = { "NS-SAME-ADDR", SEVERITY_WARNING,
	    "Every authoritative server for a mail host's name gives the same addresses.",
	    "RFC 2181 5",
	    "Some senders connect to an address that is no longer, or not yet, the "
	    "host's. Servers that answer by the place of the asker differ on purpose.",
	    "Let the odd server get the zone again.", DEPTH_FULL },
	[CHECK_NS_BACKUP_PRESENT] = { "NS-BACKUP-PRESENT", SEVERITY_ERROR,
	    "Every authoritative server of the zone lists the backup.",
	    "RFC 5321 5.1, RFC 1034 4",
	    "Senders that ask a server without the backup have none when the primary "
	    "dies, and nobody notices before.",
	    "Let the odd server get the zone again.", DEPTH_FULL },
	[CHECK_NS_LAG] = { "NS-LAG", SEVERITY_NOTICE,
	    "All authoritative servers have the same serial number of the zone.",
	    "RFC 1996 3.11, RFC 1982 3",
	    "Soon after a change this is normal; if it stays so, a secondary no longer "
	    "gets the zone, and one day drops it.",
	    "Look at the transfers (NOTIFY, TSIG key, firewall for TCP) of the server "
	    "that is behind.", DEPTH_FULL },
	[CHECK_DNSSEC_DOMAIN] = { "DNSSEC-DOMAIN", SEVERITY_WARNING,
	    "The answer about the MX records is signed and validates.",
	    "RFC 4035 3.2.3, RFC 7672 2.1.1",
	    "Without a signature anybody on the way can change where mail goes, and DANE "
	    "counts for nothing. A signature that does not validate (bogus) is an error: "
	    "validating senders see no MX records at all.",
	    "Sign the zone and put the DS record into the parent. Bogus: look for expired "
	    "signatures, and for a DS record without its key.", DEPTH_FULL },
	[CHECK_DNSSEC_HOST] = { "DNSSEC-HOST", SEVERITY_WARNING,
	    "The addresses of each MX host are signed and validate, and so does the "
	    "denial of those that it does not have.",
	    "RFC 7672 2.1.1, 2.2.2",
	    "DANE needs secure addresses: senders do not even ask for the TLSA records of "
	    "a host that has others. Bogus is an error; a broken denial of AAAA makes "
	    "some senders put the mail off though the A record is good.",
	    "Sign the zone with the host's name; if another owns it, ask him to. A broken "
	    "denial: renew the NSEC or NSEC3 chain.", DEPTH_FULL },
	[CHECK_TLSA_PRESENT] = { "TLSA-PRESENT", SEVERITY_WARNING,
	    "If one MX host has usable TLSA records, all have.",
	    "RFC 7672 2.2",
	    "Whoever can keep a sender from the hosts with DANE gets the mail by the one "
	    "without: the weakest host decides.",
	    "Publish TLSA records for the other hosts too, the backup first.",
	    DEPTH_FULL },
	[CHECK_TLSA_LOOKUP] = { "TLSA-LOOKUP", SEVERITY_ERROR,
	    "The question for the TLSA records of each MX host with secure addresses is "
	    "answered, be it by a denial.",
	    "RFC 7672 2.1.2",
	    "Senders with DANE take SERVFAIL or silence for an attack and pass the host "
	    "over; they never take it for \"no DANE\". A warning where it is not known "
	    "that the addresses are secure.",
	    "Have servers that answer for unknown types, and denials that validate.",
	    DEPTH_FULL },
	[CHECK_TLSA_USABLE] = { "TLSA-USABLE", SEVERITY_WARNING,
	    "Each TLSA record has usage 2 or 3, selector 0 or 1, matching type 0, 1 or 2 "
	    "and data of the right length, and is signed.",
	    "RFC 7672 3.1, RFC 6698 2.1",
	    "Usages 0 and 1 do not count with SMTP. Where all records are unusable "
	    "senders encrypt without checking whom they talk to.",
	    "Publish \"3 1 1\" with the SHA-256 of the host's public key.", DEPTH_FULL },
	[CHECK_TLSA_ROLL] = { "TLSA-ROLL", SEVERITY_NOTICE,
	    "A host with TLSA records has two different ones: for the key in use and the "
	    "next, or for the key and its issuer.",
	    "RFC 7671 8",
	    "With one record only, a change of the key is an outage for as long as caches "
	    "keep the old record.",
	    "Publish the record of the next key (3 1 1) or of the issuer (2 1 1) beside "
	    "it.", DEPTH_FULL },
	[CHECK_STS_TXT] = { "STS-TXT", SEVERITY_WARNING,
	    "There is one MTA-STS record (v=STSv1 at _mta-sts), and it has an id.",
	    "RFC 8461 3.1",
	    "With two records, or one that cannot be read, senders behave as if there "
	    "were no MTA-STS. Not applicable without a record.",
	    "Publish one TXT record \"v=STSv1; id=20260101;\" and change the id whenever "
	    "the policy changes.", DEPTH_FULL },
	[CHECK_TLSRPT] = { "TLSRPT", SEVERITY_NOTICE,
	    "A domain with MTA-STS or DANE has one TLSRPT record (v=TLSRPTv1 at "
	    "_smtp._tls) with a rua.",
	    "RFC 8460 3",
	    "Senders that cannot make a secure connection put the mail off; these reports "
	    "are how one hears of it.",
	    "Publish \"v=TLSRPTv1; rua=mailto:tls@example.com\".", DEPTH_FULL },
	[CHECK_SPF_MX_COUNT] = { "SPF-MX-COUNT", SEVERITY_WARNING,
	    "A domain whose SPF record has the mechanism mx has at most 10 MX hosts.",
	    "RFC 7208 4.6.4",
	    "With more, SPF ends in a permanent error and mail from the domain is refused "
	    "or suspect.",
	    "Name the senders by ip4 and ip6, or have fewer MX hosts.", DEPTH_FULL },
	[CHECK_SPF_BACKUP] = { "SPF-BACKUP", SEVERITY_INFO,
	    "The domain's SPF record lets the backup send.",
	    "RFC 7208 2.4, 5",
	    "Needed only if the backup also sends mail of this domain. What it relays "
	    "carries the senders' domains: the primary must not check SPF for the backup.",
	    "Nothing, if it only relays; else add ip4:, ip6: or a: with its address.",
	    DEPTH_FULL },
	[CHECK_MX_NULL_SENDER] = { "MX-NULL-SENDER", SEVERITY_WARNING,
	    "A domain with a null MX lets nobody send (v=spf1 -all).",
	    "RFC 7505 4.2",
	    "Mail that cannot be answered is refused by many; bounces and complaints go "
	    "nowhere.",
	    "Publish \"v=spf1 -all\", or real MX records if the domain sends.",
	    DEPTH_FULL },
	[CHECK_FCRDNS] = { "FCRDNS", SEVERITY_WARNING,
	    "Each address of each MX host has a name (PTR) that leads back to it.",
	    "RFC 1912 2.1",
	    "A backup hands mail on, and sends delivery reports: many servers, maybe the "
	    "primary, turn away clients without.",
	    "Have the owner of the address publish a PTR with the host's name.",
	    DEPTH_FULL },
	[CHECK_DNSBL] = { "DNSBL", SEVERITY_NOTICE,
	    "No address of an MX host is in the lists of --dnsbl.",
	    "RFC 5782 2.1, 5",
	    "A listed backup cannot hand its mail to a primary that asks the list. A list "
	    "whose test entries are wrong (it blocks this resolver, or is dead) says "
	    "nothing.",
	    "Ask the list for the reason; exempt the backup at the primary.",
	    DEPTH_FULL },
	[CHECK_SPF_HELO] = { "SPF-HELO", SEVERITY_NOTICE,
	    "The backup's own name has an SPF record that lets its addresses send.",
	    "RFC 7208 2.3",
	    "Delivery reports have no sender, so SPF is checked for the name in EHLO. "
	    "Without a record some servers distrust the backup's reports.",
	    "Publish \"v=spf1 a -all\" at the backup's name.", DEPTH_FULL },
	[CHECK_TCP_25] = { "TCP-25", SEVERITY_WARNING,
	    "Each address of each MX host takes connections.",
	    "RFC 5321 5.1",
	    "Senders try a dead address, wait, and go on to the next. An error where no "
	    "address of any host answers: then no mail comes at all.",
	    "Start the server, open the firewall (port 25), or take the address out of "
	    "DNS.", DEPTH_SMTP },
	[CHECK_NOLIST] = { "NOLIST", SEVERITY_INFO,
	    "The best MX host answers, unless --expect-down says that it is dead on "
	    "purpose; then it does not.",
	    "operational (nolisting)",
	    "A first host that never answers keeps some spam away, and costs each sender "
	    "the time to find out. If it was not meant, it is an outage.",
	    "Meant: say --expect-down HOST. Not meant: start the server.", DEPTH_SMTP },
	[CHECK_V6] = { "V6", SEVERITY_ERROR,
	    "A host with IPv6 addresses takes connections there, and there are IPv6 "
	    "addresses.",
	    "RFC 5321 5.1, RFC 3974",
	    "Senders with IPv6 lose time at an address that is published and does not "
	    "answer. No IPv6 at all is a notice: senders without IPv4 reach nobody.",
	    "Let the server listen on its IPv6 address, or take the AAAA record out; "
	    "where there is none, give the host one.", DEPTH_SMTP },
	[CHECK_BANNER] = { "BANNER", SEVERITY_ERROR,
	    "Each address greets with 220, in time.",
	    "RFC 5321 4.3.1, 3.1, RFC 7504",
	    "4yz: senders come again; 5yz, 521 and 554: they go to the next host, or "
	    "return the mail. Silence costs them minutes.",
	    "Read the server's words: a block list it asks, a load limit, a proxy in "
	    "front.", DEPTH_SMTP },
	[CHECK_EHLO] = { "EHLO", SEVERITY_ERROR,
	    "Each address takes EHLO and names its extensions, in TLS too.",
	    "RFC 5321 4.1.1.1, RFC 3207 4.2",
	    "Without EHLO there is neither TLS nor SIZE nor 8BITMIME. A warning where "
	    "only HELO goes.",
	    "Look for a firewall that rewrites SMTP (fixup, inspect) and turn that off.", DEPTH_SMTP },
	[CHECK_PTR_EHLO] = { "PTR-EHLO", SEVERITY_NOTICE,
	    "The name in the greeting and EHLO is the MX name or that of the address "
	    "(PTR).",
	    "RFC 5321 4.1.1.1, 4.3.1",
	    "A server with another name than its own looks like a mistake, or like "
	    "somebody else's.",
	    "Set the server's name (myhostname in Postfix) to its MX name.", DEPTH_SMTP },
	[CHECK_LEAK] = { "LEAK", SEVERITY_INFO,
	    "The greeting does not tell product and version.",
	    "RFC 5321 4.3.1, 7.5",
	    "Whoever looks for servers with a known hole finds this one first.",
	    "Shorten the greeting (smtpd_banner in Postfix).", DEPTH_SMTP },
	[CHECK_STARTTLS] = { "STARTTLS", SEVERITY_WARNING,
	    "Each address offers STARTTLS, and the handshake works.",
	    "RFC 3207 4",
	    "One address without is enough for whoever wants to read along. A handshake "
	    "that breaks makes senders put mail off, or send it in the clear.",
	    "Turn TLS on at every host, the backup too.", DEPTH_SMTP },
	[CHECK_TLS_VERSION] = { "TLS-VERSION", SEVERITY_NOTICE,
	    "Each address speaks TLS 1.2 or later, and nothing older.",
	    "RFC 8996",
	    "TLS 1.0 and 1.1 are broken. A warning where there is nothing newer: modern "
	    "senders then have no TLS at all.",
	    "Raise the least version to TLS 1.2.", DEPTH_EXTRA },
	[CHECK_CERT] = { "CERT", SEVERITY_WARNING,
	    "Each address has a certificate of a known authority with the host's name, "
	    "and it is not about to expire (--cert-days).",
	    "RFC 5280 6.1, RFC 6125 6.4",
	    "Senders that verify (MTA-STS, own policy) put the mail off. A notice where "
	    "TLSA records of usage 3 say what the key is: then nobody looks at these.",
	    "Renew the certificate, with the MX name in it, and send the issuer's along.", DEPTH_SMTP },
	[CHECK_STARTTLS_INJECT] = { "STARTTLS-INJECT", SEVERITY_WARNING,
	    "What was sent in the clear behind STARTTLS is forgotten.",
	    "RFC 3207 4.2, CVE-2011-0411",
	    "Whoever sits in between puts commands into a session that both ends take for "
	    "safe.",
	    "Update the server, or the proxy that does TLS for it.", DEPTH_EXTRA },
	[CHECK_TLSA_MATCH] = { "TLSA-MATCH", SEVERITY_ERROR,
	    "The certificates that each address shows match a TLSA record of the host, "
	    "with a key of either kind (RSA, ECDSA).",
	    "RFC 7672 3.1, RFC 7671 5",
	    "Senders with DANE do not deliver to an address whose certificate does not "
	    "match.",
	    "Publish the record of the key in use; at the next change publish it before.", DEPTH_SMTP },
	[CHECK_TLSA_NAME] = { "TLSA-NAME", SEVERITY_ERROR,
	    "Where only a TLSA record of usage 2 matches, the certificate has the host's "
	    "name and is in date.",
	    "RFC 7672 3.1.2, 3.2.2",
	    "With usage 2 (an issuer) name and dates count; only with usage 3 they are "
	    "passed over.",
	    "Get a certificate with the MX name, or publish \"3 1 1\".", DEPTH_SMTP },
	[CHECK_VRFY_EXPN] = { "VRFY-EXPN", SEVERITY_NOTICE,
	    "VRFY and EXPN tell nothing about who is there.",
	    "RFC 5321 7.3",
	    "A positive answer lets anybody find out which addresses there are, and who "
	    "is behind a list.",
	    "disable_vrfy_command in Postfix; 252 is the answer that tells nothing.", DEPTH_SMTP },
	[CHECK_NULL_SENDER] = { "NULL-SENDER", SEVERITY_WARNING,
	    "MAIL FROM:<> is taken.",
	    "RFC 1123 5.2.9, RFC 5321 4.5.5",
	    "Delivery reports have no sender: whoever refuses them never hears that mail "
	    "did not arrive.",
	    "Do not refuse the null sender; refuse what was not sent from here in other "
	    "ways.", DEPTH_SMTP },
	[CHECK_RELAY] = { "RELAY", SEVERITY_ERROR,
	    "No host takes a stranger's mail for a stranger.",
	    "RFC 2505 2.1",
	    "An open relay sends spam for all the world and is in every block list by "
	    "tomorrow.",
	    "Relay only for your own domains and clients. If this host is one of these "
	    "clients, look from another one.", DEPTH_SMTP },
	[CHECK_POSTMASTER] = { "POSTMASTER", SEVERITY_WARNING,
	    "Each address takes mail for postmaster@domain and for <Postmaster>.",
	    "RFC 5321 4.5.1",
	    "Nobody can tell you that something is wrong with your mail.",
	    "Make postmaster an alias of somebody who reads it.", DEPTH_SMTP },
	[CHECK_ABUSE] = { "ABUSE", SEVERITY_NOTICE,
	    "Each address takes mail for abuse@domain.",
	    "RFC 2142 4",
	    "Complaints go to your provider instead, or straight into block lists.",
	    "Make abuse an alias of somebody who reads it.", DEPTH_SMTP },
	[CHECK_RCPT_PARITY] = { "RCPT-PARITY", SEVERITY_WARNING,
	    "The backup refuses a recipient that the primary refuses.",
	    "operational",
	    "What the backup takes and the primary refuses, the backup has to return: to "
	    "senders that are forged, mostly. A notice where both take everything.",
	    "Give the backup the list of recipients, or let it ask the primary (admit = "
	    "through).", DEPTH_SMTP },
	[CHECK_EXT_SUBSET] = { "EXT-SUBSET", SEVERITY_WARNING,
	    "The backup offers no extension and no size that the primary does not take.",
	    "RFC 1870 6, RFC 6152 3, RFC 6531 3.2, RFC 3030 3, RFC 8689 4.2",
	    "Mail that was taken under such a promise cannot be handed over: it comes "
	    "back later.",
	    "Turn the extension off at the backup, or on at the primary; set the same "
	    "size limit.", DEPTH_SMTP },
	[CHECK_TLS_PARITY] = { "TLS-PARITY", SEVERITY_WARNING,
	    "The backup's TLS is not weaker than the primary's: STARTTLS, certificate, "
	    "DANE, MTA-STS.",
	    "RFC 7672 2.2, RFC 8461 4.1",
	    "Who wants to read the mail only has to keep the primary from answering. Who "
	    "insists on TLS does not deliver to such a backup.",
	    "Give the backup a certificate, TLSA records and a line in the policy as the "
	    "primary has.", DEPTH_SMTP },
	[CHECK_STS_POLICY] = { "STS-POLICY", SEVERITY_WARNING,
	    "The MTA-STS policy can be fetched and read.",
	    "RFC 8461 3.2, 3.3",
	    "With a TXT record and no policy senders go on as if there were no MTA-STS, "
	    "or by an old policy.",
	    "Serve the policy at https://mta-sts.DOMAIN/.well-known/mta-sts.txt with a "
	    "valid certificate.", DEPTH_SMTP },
	[CHECK_STS_COVERS] = { "STS-COVERS", SEVERITY_ERROR,
	    "The policy names each MX host.",
	    "RFC 8461 4.1",
	    "In mode enforce senders do not deliver to a host that the policy does not "
	    "name: a backup that is missing there gets no mail from them. In mode testing "
	    "a warning.",
	    "Add a line \"mx: HOST\" for the host that is missing, and change the id of "
	    "the TXT record.", DEPTH_SMTP },
	[CHECK_STS_STALE] = { "STS-STALE", SEVERITY_NOTICE,
	    "Each host that the policy names is an MX host.",
	    "RFC 8461 3.2",
	    "The policy was forgotten when a host went away; who gets that name gets the "
	    "mail.",
	    "Take the line out and change the id of the TXT record.", DEPTH_SMTP },
	[CHECK_STS_CERT] = { "STS-CERT", SEVERITY_ERROR,
	    "Each MX host that the policy names has STARTTLS and a valid certificate with "
	    "its name.",
	    "RFC 8461 4.2",
	    "In mode enforce senders deliver to no other host. In mode testing a warning.",
	    "Renew the certificate, with the MX name in it, of an authority that senders "
	    "know.", DEPTH_SMTP },
};
/* clang-format on */

static const char *const severities[SEVERITY_COUNT] = {
	[SEVERITY_INFO] = "info",
	[SEVERITY_NOTICE] = "notice",
	[SEVERITY_WARNING] = "warning",
	[SEVERITY_ERROR] = "error",
};

enum check_id
check_find(const char *id)
{
	enum check_id i = 0;

	while (i < CHECK_COUNT && strcasecmp(checks[i].id, id) != 0)
		i++;
	return i;
}

const char *
severity_name(enum severity severity)
{
	return severities[severity];
}

int
severity_find(const char *word, enum severity *severity)
{
	for (int i = 0; i < SEVERITY_COUNT; i++) {
		if (strcmp(severities[i], word) == 0) {
			*severity = (enum severity)i;
			return 0;
		}
	}
	return -1;
}
