"""The pairs that the embedded model is measured on.

Chosen from the shapes alone, before any model was trained, and kept as they were: pairs for which
a person would believe that an ambigram or a hybrid exists.
"""

from fundiff.mini.concepts import PHRASES


def _ink(name: str) -> str:
    if len(name) > 1:
        return ("an " if name[0] in "aeiou" else "a ") + name
    return f"the {'digit' if name.isdigit() else 'letter'} {name}"


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((_ink(first), _ink(second)) for first, second in map(str.split, text.split(",")))


ROTATE_180 = _pairs(
    "6 9, m w, a v, heart spade, tree umbrella, l 7, u a, e 3, umbrella anchor, y a, club heart, "
    "s 5, z 2, 8 b, g 9, t 1, heart house, heart tree, mushroom anchor, bell cup, crown m, b e"
)
"""Read with the first prompt as it stands, with the second when turned by 180 degrees."""

ROTATE_90 = _pairs("n z, c u, e w, m e, k v, 3 m, w 3, h i, l j, u d")
"""Read with the first prompt as it stands, with the second when turned left by 90 degrees."""

HYBRIDS = tuple(
    (PHRASES["shadow"][0].format(far), PHRASES["line"][0].format(near))
    for far, near in (
        *_pairs("heart skull, heart anchor, star smiley, star fish, moon star, moon snowflake"),
        *_pairs("tree bell, tree fish, umbrella horse, umbrella cup, airplane heart"),
        *_pairs("house sun, house tree, fish anchor, mushroom airplane, crown telephone"),
        *_pairs("cup snowflake, x smiley, t skull, o star"),
    )
)
"""(far, near): the first prompt is read from afar in the low band, the second close up."""
