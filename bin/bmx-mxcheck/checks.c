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
