"""What turns a Certificate's wish into a chain: acme, ca and selfSigned behind one interface, each call short."""
