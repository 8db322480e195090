"""forward.py SERVICE: begins a GSS-API context with a service, host@www.example.test, and lets it act for the client, for which
the client asks the KDC for a forwarded ticket. The token that comes of it is sent nowhere."""
import sys

import gssapi

flags = gssapi.RequirementFlag.mutual_authentication | gssapi.RequirementFlag.delegate_to_peer
service = gssapi.Name(sys.argv[1], gssapi.NameType.hostbased_service)
gssapi.SecurityContext(name=service, usage="initiate", flags=flags).step()
