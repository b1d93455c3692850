from cinescrub.pixels.codestream import Buffer
from cinescrub.pixels.jpeg_walk import Covered

def rewrite(
    data: Buffer,
    covered: Covered,
    restart: int,
    mean: bool,
    components: tuple[tuple[bytes, bytes, bytes, bytes, int, int], ...],
    /,
) -> tuple[bytes | None, tuple[int, ...]]: ...
