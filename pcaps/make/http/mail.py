"""A mail as Python's email package writes it, and what Python's parser finds in it, for the truth.

Usage: mail.py PICTURE FOLDER
"""

import email
import sys
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

picture, folder = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)


def begin(subject):
    mail = EmailMessage(policy=SMTP)
    mail["Received"] = "from client.example.test by mail.example.test; Tue, 24 Nov 2026 12:00:00 +0000"
    mail["From"] = "Alice <alice@example.test>"
    mail["To"] = "Bob <bob@example.test>"
    mail["Subject"] = subject
    mail["Message-ID"] = f"<{len(subject)}@example.test>"
    mail["Date"] = "Tue, 24 Nov 2026 12:00:00 +0000"
    return mail


forwarded = begin("What I was sent")
forwarded.set_content("Only a picture.\r\n")
forwarded.add_attachment(picture, maintype="image", subtype="png", filename="picture.png")

letter = begin("Grüße")
letter.set_content("Grüße aus der Küche = 100 %\r\n" * 4, cte="quoted-printable")
letter.add_alternative("<html><body><p>Grüße</p></body></html>\r\n", subtype="html", cte="base64")
letter.add_attachment(bytes(range(256)) * 30, maintype="application", subtype="octet-stream", filename="Grüße.bin")
letter.add_attachment(forwarded, filename="forwarded.eml")
(folder / "letter.eml").write_bytes(letter.as_bytes(policy=SMTP).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

# One file by itself: its content is the mail's body.
single = begin("A picture")
single.set_content(picture, maintype="image", subtype="png", filename="alone.png")
(folder / "single.eml").write_bytes(single.as_bytes(policy=SMTP))

for name in ["letter", "single"]:
    data = (folder / f"{name}.eml").read_bytes()
    parts = folder / f"{name}.parts"
    parts.mkdir(exist_ok=True)
    inner = forwarded.as_bytes(policy=SMTP)
    if b"forwarded.eml" in data:
        inner = inner if inner + b"\r\n--" in data else inner.removesuffix(b"\r\n")
        assert inner + b"\r\n--" in data
    for number, part in enumerate(email.message_from_bytes(data, policy=SMTP).walk()):
        if part.get_content_maintype() == "multipart":
            continue
        is_mail = part.get_content_type() == "message/rfc822"
        content = inner if is_mail else part.get_payload(decode=True)
        (parts / f"{number}:{part.get_filename() or '-'}").write_bytes(content)
