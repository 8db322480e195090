"""Mails that carry one another, as Python's email package writes them, and what is to come of them.

Usage: deep_mail.py PICTURE FOLDER
"""

import email
import sys
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

DEPTH = 60
# Mails that are files of their own, from the outside.
FILES = 4

picture, folder = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)

mail = None
mails = []
for number in range(DEPTH, 0, -1):
    inner, mail = mail, EmailMessage(policy=SMTP)
    mail["Received"] = "from client.example.test by mail.example.test; Tue, 24 Nov 2026 12:00:00 +0000"
    mail["Subject"] = f"Mail {number} of {DEPTH}"
    mail.set_content(f"This is mail {number}.\r\n")
    if inner is None:
        mail.add_attachment(picture, maintype="image", subtype="png", filename="picture.png")
        (folder / "picture.png.whole").write_bytes(picture)
    else:
        mail.add_attachment(inner, filename=f"{number + 1}.eml")
    mail.set_boundary(f"=={number}==")
    mails.insert(0, mail)

whole = mail.as_bytes(policy=SMTP)
(folder / "deep.eml").write_bytes(whole)
(folder / "deep.eml.whole").write_bytes(whole)
# What Python's parser finds in it.
for number, part in enumerate(email.message_from_bytes(whole, policy=SMTP).walk()):
    if part.get_content_type() == "text/plain":
        (folder / f"-:{number}.whole").write_bytes(part.get_payload(decode=True))
for number, mail in enumerate(mails[1:FILES], 2):
    inner = mail.as_bytes(policy=SMTP)
    end = b"\r\n--==%d==--" % (number - 1)
    inner = inner if inner + end in whole else inner.removesuffix(b"\r\n")
    assert inner + end in whole
    (folder / f"{number}.eml.whole").write_bytes(inner)
