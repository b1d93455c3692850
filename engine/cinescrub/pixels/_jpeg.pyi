from cinescrub.pixels.codestream import Buffer
from cinescrub.pixels.jpeg_walk import Covered

INTERFACE: int

def scan_end(data: Buffer, start: int, /) -> int: ...
def rewrite(
    data: Buffer,
    covered: Covered,
    restart: int,
    components: tuple[tuple[bytes, bytes, bytes, bytes, int, int], ...],
    /,
) -> tuple[bytes | None, tuple[int, ...]]: ...
