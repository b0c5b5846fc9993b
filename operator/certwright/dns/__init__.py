"""What the DNS says about a name: its zone, the servers of that zone, where CNAMEs lead, whether a record is there.

It reads and never changes anything; the providers change. dnspython parses and names things; how servers are asked,
in which order and at the same time, is decided here.
"""
