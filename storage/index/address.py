"""Where the index is: an address as settings give it, several hosts of PostgreSQL among them."""

import re

from sqlalchemy.engine import URL, make_url

_SEVERAL = re.compile(r"(?P<before>postgresql\+psycopg://(?:[^/?]*@)?)(?P<hosts>[^/?@]*,[^/?@]*)(?P<after>[/?].*)?")


def parsed(text: str) -> URL:
    """The address for SQLAlchemy, which takes several hosts (`h1:5432,h2:5432`) as parameters alone."""
    several = _SEVERAL.fullmatch(text)
    if several is None:
        return make_url(text)
    address = make_url(several["before"] + (several["after"] or ""))
    hosts = several["hosts"].split(",")
    return address.update_query_pairs([("host", host) for host in hosts])


def places(parameters: dict[str, object]) -> list[tuple[str, str]]:
    """The hosts and ports, one after the other, of what psycopg is told."""
    hosts = str(parameters.get("host") or "").split(",")
    ports = str(parameters.get("port") or "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    return list(zip(hosts, ports, strict=True))
