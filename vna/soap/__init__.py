"""SOAP 1.1 and 1.2 with WS-Addressing and MTOM/XOP, served and called; doors bring operations, bodies and WSDL."""
