"""WSDL and schemas of document sharing, in the project's own words; the files beside this one."""

from importlib.resources import files

from vna.soap.wsdl import Wsdl


def wsdl(name: str) -> Wsdl:
    """Of `registry`, `repository`, `imaging-source`, `responding-gateway` or `initiating-gateway`."""
    return Wsdl(files(__name__), f"{name}.wsdl")
