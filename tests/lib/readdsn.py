#!/usr/bin/env python3
"""Print what a notification says, a line for each thing."""
import email
import email.policy
import sys


def content(part):
    """The text of a part; of one like message/global-headers, which Python
    takes for a message, that message's."""
    if part.is_multipart():
        policy = email.policy.SMTPUTF8.clone(max_line_length=None)
        data = part.get_payload(0).as_bytes(policy=policy)
    else:
        data = part.get_payload(decode=True)
    return data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")


def defects(message):
    found = list(message.defects)
    for part in message.get_payload():
        found += part.defects
    return found


with open(sys.argv[1], "rb") as file:
    message = email.message_from_binary_file(file, policy=email.policy.SMTPUTF8)
print("to:", message["To"])
print("subject:", message["Subject"])
print("auto-submitted:", message["Auto-Submitted"])
print("type:", message.get_content_type(), message.get_param("report-type"))
text, status, header = message.get_payload()
print("text:", text.get_content_type(), text.get_content_charset())
print("says:", " ".join(text.get_content().split()))
print("status:", status.get_content_type())
if status.get_content_type() == "message/delivery-status":
    groups = status.get_payload()
else:
    groups = [email.message_from_string(group, policy=email.policy.SMTPUTF8)
              for group in content(status).strip().split("\n\n")]
print("groups:", len(groups))
for group in groups:
    for name, value in group.items():
        print(name + ":", " ".join(value.split()))
print("header:", header.get_content_type())
for line in content(header).strip("\n").split("\n"):
    print("|" + line)
print("defects:", defects(message))
