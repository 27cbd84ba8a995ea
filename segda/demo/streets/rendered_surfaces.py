"""The materials of the rendered appearance: clean, saturated and regular."""

from functools import cache, partial

from segda.demo.streets import texture
from segda.demo.streets.material import Material
from segda.demo.streets.surface import Paint, Surface

_BAY = (3.0, 3.2)
_BLUE = "4678af 588cbe 345c8c"
_PLASTER = partial(texture.plain, grain=0.03, cells=4, octaves=2)
_STONE = partial(texture.bricks, grain=0.05, rows=4, columns=4, joint=0.12)
_BRICK = partial(texture.bricks, grain=0.09, rows=16, columns=8, joint=0.3)

_TEXTURES: dict[str, texture.Drawing] = {
    "plain": lambda r: texture.plain(r, 0.0),
    "soft": lambda r: texture.plain(r, 0.05, 4, 3),
    "asphalt": lambda r: texture.plain(r, 0.06, 8, 3),
    "slabs": lambda r: texture.bricks(r, 0.05, 4, 4, 0.2),
    "cobbles": lambda r: texture.bricks(r, 0.1, 16, 16, 0.25),
    "brick": _BRICK,
    "brick windows": lambda r: texture.windows(r, _BRICK(r), 2, 2, (0.42, 0.5)),
    "brick wide": lambda r: texture.windows(r, _BRICK(r), 2, 2, (0.62, 0.46), 2),
    "plaster windows": lambda r: texture.windows(r, _PLASTER(r), 2, 2, (0.4, 0.54)),
    "plaster wide": lambda r: texture.windows(r, _PLASTER(r), 1, 2, (0.7, 0.44), 3),
    "stone windows": lambda r: texture.windows(r, _STONE(r), 2, 2, (0.48, 0.6)),
    "glass": lambda r: texture.windows(r, _PLASTER(r), 4, 2, (0.86, 0.84), 0),
    "shop": lambda r: texture.windows(r, _PLASTER(r), 2, 1, (0.84, 0.72), 0),
    "planks": lambda r: texture.pickets(r, 0.07, 16, 0.88, False),
    "railing": lambda r: texture.pickets(r, 0.03, 16, 0.4, True),
    "leaves": lambda r: texture.foliage(r, 0.13, 0.35, 8),
    "grass": lambda r: texture.plain(r, 0.08, 16, 2),
}

_SURFACES = {
    Material.SKY: Surface("78aae6"),
    Material.ASPHALT: Surface("62626a 6c6a6c 585a62", ("asphalt",), (4, 4)),
    Material.MARKING: Surface("eeeee8 eeeee8 eeeee8 eeeee8 eeeee8 eeeee8 eeeee8 eeeee8 eeeee8 f0c428"),
    Material.KERB: Surface("c8c4bc"),
    Material.PAVING: Surface("bcb0a0 c4beb4 b2aaa4", ("slabs",), (4, 4)),
    Material.COBBLES: Surface("8c8078", ("cobbles",), (3, 3)),
    Material.GRASS: Surface("70ac3c 62a03a 8ab046 b0a060", ("grass",), (3, 3)),
    Material.FACADE_BRICK: Surface(
        "c45c42 b25246 ce7850 a05a46", ("brick windows", "brick wide"), (6, 6.4), _BLUE, _BAY
    ),
    Material.FACADE_PLASTER: Surface(
        "f0d6a0 eebc8c e2e2d2 b4ced6 ecaa96 ced6a0", ("plaster windows", "plaster wide"), (6, 6.4), _BLUE, _BAY
    ),
    Material.FACADE_STONE: Surface("d6c8ac beb4a6", ("stone windows",), (6, 6.4), _BLUE, _BAY),
    Material.FACADE_GLASS: Surface("96aabe b4bec8", ("glass",), (6, 6.4), "468cbe 50a0b4", (1.5, 3.2)),
    Material.SHOP: Surface("c83c3c 3c6eaa 3c966e e6b450 78503c", ("shop",), (6, 3.3), "3c546e 5a6e82", (3, 3.3)),
    Material.AWNING: Surface("d63c36 32825a f0c85a 3c5ab4"),
    Material.DOOR: Surface("784628 325078 962828 3c3c3c"),
    Material.ROOF: Surface("b2543c 785046 646874", ("slabs",), (2, 2)),
    Material.SKYLINE: Surface("a0b0c8 b0b8c8 96a0ba", ("glass",), (12, 12), "7896be", (3, 3)),
    Material.WALL_BRICK: Surface("bc684e aa7860", ("brick",), (2, 2)),
    Material.WALL_CONCRETE: Surface("ccc8be babec0", ("soft",), (3, 3)),
    Material.FENCE_WOOD: Surface("b67e46 d6be96 ecece6", ("planks",), (2.4, 2.4)),
    Material.FENCE_METAL: Surface("465054 3c6450", ("railing",), (2.4, 2.4), "6e9650 8c8c78"),
    Material.METAL: Surface("787e84 5a6268 546e60"),
    Material.HOUSING: Surface("2c2e32"),
    Material.LAMP_RED: Surface("ff281e"),
    Material.LAMP_AMBER: Surface("ffbe1e"),
    Material.LAMP_GREEN: Surface("28f06e"),
    Material.LAMP_DARK: Surface("284638 504222 502222"),
    Material.SIGN_RED: Surface("e21e24"),
    Material.SIGN_BLUE: Surface("1e5ad2"),
    Material.SIGN_WHITE: Surface("f4f4f4"),
    Material.SIGN_YELLOW: Surface("fad028"),
    Material.BARK: Surface("7c5638 8c6c50", ("soft",)),
    Material.LEAVES: Surface("56962c 468c36 6ea432 3c7c3c 82aa3c", ("leaves",), (4, 4), "285c24"),
    Material.SKIN: Surface("f0c4a0 d6a078 966446 644230"),
    Material.HAIR: Surface("32221a 603e22 c8a05a 1e1c1e"),
    Material.UPPER_CLOTH: Surface("dc323c 326ed2 f0f0ec 3caa64 f0b432 9646aa 3c3c46"),
    Material.LOWER_CLOTH: Surface("324682 3c3c42 968264 6e3c32"),
    Material.CAR_PAINT: Surface("d22428 285ac8 f0f0f0 fabe28 32965a 3c3e46 b4bac2 e66e28"),
    Material.TRUCK_PAINT: Surface("dc4628 326ebe f0f0ec 3c9664"),
    Material.CARGO: Surface("ecece6 d29646 5a82b4 c8c8ce", ("soft",)),
    Material.BUS_PAINT: Surface("dc3c32 fac83c 4682c8"),
    Material.TRAM_PAINT: Surface("ecdca0 3c9678 d23c3c"),
    Material.CYCLE_PAINT: Surface("dc2828 2878dc 3caa5a fab428 28282e"),
    Material.GLASS: Surface("466e96 5680a6"),
    Material.TRIM: Surface("282a2e"),
    Material.TYRE: Surface("222226"),
    Material.RIM: Surface("c4c8ce"),
    Material.SPOKES: Surface("8a8a8e"),
    Material.HEADLIGHT: Surface("fffce2"),
    Material.TAILLIGHT: Surface("d6181e"),
    Material.PLASTIC: Surface("3c8246 465a82 78787c be5a32"),
    Material.BONNET: Surface("50525a"),
}


@cache
def paint() -> Paint:
    """All materials, with their textures."""
    return Paint(_SURFACES, texture.Atlas(_TEXTURES, seed=101))
