"""Taking a URL apart, of the few kinds that the guard asks."""


def split_url(url: str) -> tuple[str, int, str]:
    """Host, port and target of an http URL whose host is an address.

    A name would have to be looked up, which no timeout of the probe could bound; the probe asks its own container.

    Raises:
        ValueError: saying what is wrong with it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme != "http":
        raise ValueError("does not start with http://")
    if not all("!" <= character <= "~" for character in url):
        raise ValueError("has characters that a URL cannot have")
    place, _, path = rest.partition("/")
    if place.startswith("["):
        host, closing, port = place[1:].partition("]")
        is_address = (
            bool(closing) and ":" in host and all(character in "0123456789abcdefABCDEF:." for character in host)
        )
    else:
        host, colon, port = place.partition(":")
        port = colon + port
        host = "127.0.0.1" if host == "localhost" else host
        parts = host.split(".")
        is_address = len(parts) == 4 and all(part.isdigit() and int(part) < 256 for part in parts)
    if not is_address:
        raise ValueError("has a host that is neither an IP address nor localhost")
    digits = port.removeprefix(":")
    if port and not (port.startswith(":") and digits.isdigit() and 0 < int(digits) < 65536):
        raise ValueError("has a port that is not a number from 1 to 65535")
    return host, int(digits or 80), "/" + path
