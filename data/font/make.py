"""Makes gyeol-sans.otf: the characters that pictures need, of Noto Sans CJK KR.

    apt-get download fonts-noto-cjk && dpkg -x fonts-noto-cjk_*.deb noto && pip install fonttools
    python3 make.py noto/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc

Printable ASCII and Latin-1, punctuation, the 2,350 syllables of KS X 1001 (code page 949's rows 0xB0 to 0xC8) and the
letters of Hangul. Hints, layout tables and the names of glyphs are left out.
"""
import sys

from fontTools import subset
from fontTools.ttLib import TTCollection

wanted = set(range(0x20, 0x7F)) | set(range(0xA0, 0x100)) | set(range(0x3131, 0x3164))
wanted |= {0x2013, 0x2014, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2026, 0x203A, 0x20AC, 0x2192, 0x25A1, 0xFFFD, 0x3001, 0x3002, 0x300C, 0x300D}
wanted |= {ord(bytes([row, cell]).decode("euc-kr")) for row in range(0xB0, 0xC9) for cell in range(0xA1, 0xFF)}

fonts = TTCollection(sys.argv[1]).fonts
font = next(f for f in fonts if f["name"].getDebugName(1) == "Noto Sans CJK KR")
options = subset.Options(layout_features=[], hinting=False, desubroutinize=False, notdef_outline=True, name_IDs=[0, 1, 2, 13, 14], drop_tables=["GSUB", "GPOS", "GDEF", "BASE", "VORG", "vhea", "vmtx", "DSIG"], glyph_names=False)
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=wanted)
subsetter.subset(font)
font.save("gyeol-sans.otf")
