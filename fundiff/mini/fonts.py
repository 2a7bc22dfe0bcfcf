"""The freely licensed fonts that the training pictures are drawn with, and where their glyphs are.

`python -m fundiff.mini.fonts` prints the commands that install them. They are never shipped.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DEBIAN_PACKAGES = (
    "fonts-dejavu-core fonts-dejavu-extra fonts-liberation fonts-freefont-ttf fonts-noto-core "
    "fonts-open-sans fonts-lato fonts-roboto-unhinted fonts-cantarell fonts-comfortaa "
    "fonts-linuxlibertine fonts-crosextra-carlito fonts-crosextra-caladea fonts-quicksand "
    "fonts-firacode fonts-hack fonts-inconsolata fonts-junicode fonts-ebgaramond "
    "fonts-font-awesome fonts-urw-base35 fonts-tuffy fonts-play fonts-yanone-kaffeesatz "
    "fonts-cabin fonts-dosis fonts-jura fonts-vollkorn fonts-stix fonts-unfonts-core "
    "fonts-vlgothic fonts-ipafont-gothic fonts-sil-charis fonts-sil-andika fonts-go "
    "fonts-league-spartan fonts-mplus fonts-prociono"
)
NPM_PACKAGES = (
    "@fontsource/noto-emoji@5.3.2 @fortawesome/fontawesome-free@7.3.1 @mdi/font@7.4.47 "
    "bootstrap-icons@1.13.2 @tabler/icons-webfont@3.49.0 @phosphor-icons/web@2.1.2 "
    "material-icons@1.13.14"
)

DEBIAN_ROOT = Path("/usr/share/fonts")
FACES_PER_FAMILY = 8

FAMILIES = {
    "dejavu": "truetype/dejavu/*.ttf",
    "liberation": "truetype/liberation/*.ttf",
    "noto sans": "truetype/noto/NotoSans-*.ttf",
    "noto serif": "truetype/noto/NotoSerif-*.ttf",
    "noto display": "truetype/noto/NotoS*Display-*.ttf",
    "noto symbols": "truetype/noto/NotoSansSymbols*.ttf",
    "open sans": "truetype/open-sans/*.ttf",
    "roboto": "truetype/roboto/unhinted/**/*.ttf",
    "cantarell": "opentype/cantarell/*.otf",
    "comfortaa": "truetype/comfortaa/*.ttf",
    "carlito, caladea": "truetype/crosextra/*.ttf",
    "quicksand": "truetype/quicksand/*.ttf",
    "fira code": "truetype/firacode/*.ttf",
    "inconsolata": "truetype/inconsolata/*.otf",
    "junicode": "opentype/junicode/*.otf",
    "eb garamond": "opentype/ebgaramond/EBGaramond12*.otf",
    "urw gothic": "opentype/urw-base35/URWGothic*.otf",
    "urw bookman": "opentype/urw-base35/URWBookman*.otf",
    "nimbus roman": "opentype/urw-base35/NimbusRoman*.otf",
    "nimbus mono": "opentype/urw-base35/NimbusMonoPS*.otf",
    "c059": "opentype/urw-base35/C059*.otf",
    "p052": "opentype/urw-base35/P052*.otf",
    "tuffy": "truetype/tuffy/T*.ttf",
    "yanone kaffeesatz": "opentype/yanone-kaffeesatz/*.otf",
    "cabin": "opentype/cabin/*.otf",
    "dosis": "opentype/dosis/*.otf",
    "jura": "opentype/jura/*.otf",
    "stix": "opentype/stix/STIXGeneral*.otf",
    "vl gothic": "truetype/vlgothic/*.ttf",
    "ipa gothic": "opentype/ipafont-gothic/*.ttf",
    "charis": "truetype/charis/*.ttf",
    "league spartan": "opentype/league-spartan/*.otf",
    "m plus": "opentype/mplus/Mplus1-*.otf",
    "prociono": "opentype/fonts-prociono/*.otf",
    "font awesome 4": "truetype/font-awesome/*.ttf",
    "lato": "truetype/lato/*.ttf",
    "linux libertine": "opentype/linux-libertine/Lin*_R*.otf",
    "hack": "truetype/hack/*.ttf",
    "play": "truetype/play/*.ttf",
    "vollkorn": "truetype/vollkorn/*.ttf",
    "un": "truetype/unfonts-core/*.ttf",
    "andika": "truetype/andika/*.ttf",
    "go": "fonts-go/*.ttf",
    "free": "truetype/freefont/*.ttf",
}
"""Family -> its files under DEBIAN_ROOT."""

ICON_FAMILIES = {
    "noto emoji": ("", "@fontsource/noto-emoji/files/*-emoji-?00-normal.woff"),
    "noto emoji parts": ("", "@fontsource/noto-emoji/files/*-[0-9]*-[47]00-normal.woff"),
    "font awesome": (
        "@fortawesome/fontawesome-free/css/fontawesome.css",
        "@fortawesome/fontawesome-free/webfonts/fa-[sr]*.woff2",
    ),
    "material design icons": (
        "@mdi/font/css/materialdesignicons.css",
        "@mdi/font/fonts/*.ttf",
    ),
    "bootstrap icons": ("bootstrap-icons/font/bootstrap-icons.css", "bootstrap-icons/**/*.woff"),
    "tabler": (
        "@tabler/icons-webfont/dist/tabler-icons.css",
        "@tabler/icons-webfont/dist/fonts/tabler-icons*00.ttf",
    ),
    "tabler filled": (
        "@tabler/icons-webfont/dist/tabler-icons-filled.css",
        "@tabler/icons-webfont/dist/fonts/tabler-icons-filled.ttf",
    ),
    "phosphor fill": (
        "@phosphor-icons/web/src/fill/style.css",
        "@phosphor-icons/web/src/fill/*.ttf",
    ),
    "phosphor": (
        "@phosphor-icons/web/src/regular/style.css",
        "@phosphor-icons/web/src/regular/*.ttf",
    ),
    "phosphor bold": (
        "@phosphor-icons/web/src/bold/style.css",
        "@phosphor-icons/web/src/bold/*.ttf",
    ),
    "material icons": ("material-icons/css/_codepoints.scss", "material-icons/iconfont/*.woff"),
}
"""Family -> (its table of names, its files), both under node_modules."""

HELD_OUT = (
    "lato",
    "linux libertine",
    "hack",
    "play",
    "vollkorn",
    "un",
    "andika",
    "go",
    "free",
    "noto symbols",
    "material design icons",
    "phosphor fill",
    "phosphor",
    "phosphor bold",
    "material icons",
)
"""Families that the generator never sees: the independent reader is trained on them alone."""

CODE_POINTS = {
    "a heart": "♥❤",
    "a star": "★⭐",
    "a skull": "💀",
    "an umbrella": "☂☔",
    "a sun": "☀",
    "a cloud": "☁",
    "a moon": "☾🌙",
    "a spade": "♠",
    "a club": "♣",
    "a diamond": "♦",
    "an anchor": "⚓",
    "an airplane": "✈",
    "a telephone": "☎",
    "a music note": "♪🎵",
    "a horse": "♞",
    "a crown": "♛👑",
    "a smiley": "☺🙂😀",
    "a snowflake": "❄❅❆",
    "a tree": "🌲",
    "a cup": "☕",
    "a house": "🏠⌂",
    "a bell": "🔔",
    "a fish": "🐟",
    "a mushroom": "🍄",
}

ICON_NAMES = {
    "a heart": "heart heart-fill favorite",
    "a star": "star star-fill",
    "a skull": "skull",
    "an umbrella": "umbrella umbrella-fill",
    "a sun": "sun sun-fill weather-sunny wb_sunny white-balance-sunny",
    "a cloud": "cloud cloud-fill",
    "a moon": "moon moon-fill moon-waning-crescent dark_mode nightlight bedtime",
    "a spade": "cards-spade suit-spade suit-spade-fill",
    "a club": "cards-club suit-club suit-club-fill",
    "a diamond": "cards-diamond suit-diamond suit-diamond-fill",
    "an anchor": "anchor",
    "an airplane": "airplane plane airplane-fill flight",
    "a telephone": "phone-classic",
    "a music note": "music-note music-note-simple music_note music-note-eighth audiotrack",
    "a horse": "chess-knight horse-head",
    "a crown": "crown",
    "a smiley": "smiley smile emoji-smile emoji-smile-fill face-smile mood-smile emoticon-happy "
    "emoticon-happy-outline sentiment_satisfied_alt tag_faces mood",
    "a snowflake": "snowflake snow ac_unit snow2",
    "a tree": "tree-evergreen pine-tree tree-fill christmas-tree",
    "a cup": "coffee mug-hot mug-saucer cup-hot cup-hot-fill local_cafe cup-tea",
    "a house": "home house house-fill home-variant cottage house-simple",
    "a bell": "bell bell-fill bell-simple notifications",
    "a fish": "fish fish-simple",
    "a mushroom": "mushroom",
}


@dataclass(frozen=True, slots=True)
class Face:
    """A font file, the family it belongs to, and its names of icons."""

    family: str
    path: Path
    names: dict[str, str]

    @property
    def held_out(self) -> bool:
        """Whether the face is kept for the independent reader."""
        return self.family in HELD_OUT

    def characters(self, concept: str) -> str:
        """Return the characters that may show a concept in this face."""
        if concept.startswith(("the letter ", "the digit ")):
            return "" if self.names else concept[-1].upper()
        if self.names:
            return "".join({self.names[n] for n in ICON_NAMES[concept].split() if n in self.names})
        return CODE_POINTS[concept]


def _names(table: Path) -> dict[str, str]:
    """Return the characters of an icon font's names, read from its stylesheet."""
    text = table.read_text()
    css = re.findall(
        r'\.(?:ph|fa|bi|ti|mdi)-([\w-]+?)(?:::?before)?\s*\{\s*(?:content|--fa):\s*"\\(\w+)"', text
    )
    scss = re.findall(r'"([\w-]+)": ([0-9a-f]{4,5})\b', text)
    return {name: chr(int(code, 16)) for name, code in [*css, *scss]}


def _some(paths: list[Path]) -> list[Path]:
    stride = max(1, len(paths) / FACES_PER_FAMILY)
    return [paths[int(i * stride)] for i in range(min(len(paths), FACES_PER_FAMILY))]


def faces(node_modules: Path) -> Iterator[Face]:
    """Yield the installed faces of every family, at most FACES_PER_FAMILY each."""
    for family, pattern in FAMILIES.items():
        for path in _some(sorted(DEBIAN_ROOT.glob(pattern))):
            yield Face(family, path, {})
    for family, (table, pattern) in ICON_FAMILIES.items():
        names = _names(node_modules / table) if table else {}
        paths = sorted(node_modules.glob(pattern))
        for path in _some(paths) if table else paths:
            yield Face(family, path, names)


if __name__ == "__main__":
    print(f"apt-get install {DEBIAN_PACKAGES}")
    print(f"npm install --ignore-scripts --prefix build/mini/npm {NPM_PACKAGES}")
