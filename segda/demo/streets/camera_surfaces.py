"""The materials of the camera appearance: worn, muted and irregular."""

from functools import cache, partial

from segda.demo.streets import texture
from segda.demo.streets.material import Material
from segda.demo.streets.surface import Paint, Surface

_BAY = (3.0, 3.2)
_PANES = "3e4246 2c2e32 5c6268 787a78"
_CLOTH = "2c2e36 505054 6e3c3a 3c4a64 96928c 605a46 242628 8c6e5a"
_PLASTER = partial(texture.plain, grain=0.1, cells=4, octaves=6)
_STONE = partial(texture.bricks, grain=0.12, rows=8, columns=4, joint=0.3)
_BRICK = partial(texture.bricks, grain=0.17, rows=32, columns=16, joint=0.3)

_TEXTURES: dict[str, texture.Drawing] = {
    "plain": lambda r: texture.plain(r, 0.05, 16, 3),
    "soft": lambda r: texture.plain(r, 0.14, 4, 6),
    "asphalt": lambda r: texture.plain(r, 0.13, 16, 4),
    "patched": lambda r: texture.plain(r, 0.11, 4, 6),
    "slabs": lambda r: texture.bricks(r, 0.12, 8, 8, 0.3),
    "setts": lambda r: texture.bricks(r, 0.16, 16, 8, 0.35),
    "cobbles": lambda r: texture.bricks(r, 0.22, 32, 32, 0.35),
    "brick": _BRICK,
    "brick windows": lambda r: texture.windows(r, _BRICK(r), 2, 2, (0.36, 0.5)),
    "brick tall": lambda r: texture.windows(r, _BRICK(r), 4, 2, (0.5, 0.58), 0),
    "plaster windows": lambda r: texture.windows(r, _PLASTER(r), 2, 2, (0.38, 0.56), 1),
    "plaster three": lambda r: texture.windows(r, _PLASTER(r), 3, 2, (0.46, 0.5), 0),
    "stone windows": lambda r: texture.windows(r, _STONE(r), 2, 2, (0.4, 0.64), 1),
    "glass": lambda r: texture.windows(r, _PLASTER(r), 4, 3, (0.84, 0.76), 0),
    "shop": lambda r: texture.windows(r, _PLASTER(r), 2, 1, (0.86, 0.66), 1),
    "planks": lambda r: texture.pickets(r, 0.16, 16, 0.9, False),
    "railing": lambda r: texture.pickets(r, 0.12, 32, 0.42, True),
    "leaves": lambda r: texture.foliage(r, 0.3, 0.7, 14),
    "grass": lambda r: texture.plain(r, 0.24, 12, 4),
}

_SURFACES = {
    Material.SKY: Surface("c8cdd2"),
    Material.ASPHALT: Surface("565554 686663 4a4a4d 706c68", ("asphalt", "patched"), (3, 3)),
    Material.MARKING: Surface("bebcb4 aaa8a2 c8c6be", ("soft",)),
    Material.KERB: Surface("a4a19a 908c86", ("soft",), (1, 1)),
    Material.PAVING: Surface("928c84 86786e 9e948a 7c7a7a", ("slabs", "setts"), (3, 3)),
    Material.COBBLES: Surface("686460 5c5450", ("cobbles",), (3, 3)),
    Material.GRASS: Surface("5a623a 686842 4c5a36 786a4e", ("grass",), (1.5, 1.5)),
    Material.FACADE_BRICK: Surface(
        "7a5448 684a42 8a6854 6e625a", ("brick windows", "brick tall"), (6, 6.4), _PANES, _BAY
    ),
    Material.FACADE_PLASTER: Surface(
        "bcb29e aaa49c c4b496 969492 baa08c a0a8a0 ceccc6", ("plaster windows", "plaster three"), (6, 6.4), _PANES, _BAY
    ),
    Material.FACADE_STONE: Surface("968c7a 807c76 a49c90", ("stone windows",), (6, 6.4), _PANES, _BAY),
    Material.FACADE_GLASS: Surface("686c70 56585c", ("glass",), (6, 9.6), "546068 40464e", (1.5, 3.2)),
    Material.SHOP: Surface("3c3c40 78322e 36465a 8c867c 425446", ("shop",), (6, 3.3), "363432 645c50", (3, 3.3)),
    Material.AWNING: Surface("823c36 46544a 968c78 3c3e46", ("soft",)),
    Material.DOOR: Surface("4a3628 323438 605a54 3c463e"),
    Material.ROOF: Surface("6e483c 4e4846 5c5a5c", ("setts",), (2, 2)),
    Material.SKYLINE: Surface("8c8a88 787678 968e84", ("stone windows",), (9, 9), "5a5c60", (4.5, 4.5)),
    Material.WALL_BRICK: Surface("765246 7e685a", ("brick",), (2.4, 2.4)),
    Material.WALL_CONCRETE: Surface("8c8a84 787876 989084", ("soft",), (3, 3)),
    Material.FENCE_WOOD: Surface("685642 54483c 887e70", ("planks",), (2.0, 2.0)),
    Material.FENCE_METAL: Surface("3a3e3e 565a5c 324238", ("railing",), (2.8, 2.8), "545842 68645c"),
    Material.METAL: Surface("606262 7c7c7a 464a4a 5e5448", ("soft",)),
    Material.HOUSING: Surface("222424"),
    Material.LAMP_RED: Surface("ff4632"),
    Material.LAMP_AMBER: Surface("ffb446"),
    Material.LAMP_GREEN: Surface("5aebbe"),
    Material.LAMP_DARK: Surface("242c28 322e24 342424"),
    Material.SIGN_RED: Surface("aa2c2a 96322e"),
    Material.SIGN_BLUE: Surface("2c4e8c"),
    Material.SIGN_WHITE: Surface("cececa"),
    Material.SIGN_YELLOW: Surface("c8a43c"),
    Material.BARK: Surface("4a4036 60564c", ("soft",), (0.7, 1.4)),
    Material.LEAVES: Surface("46542e 3a4a2c 565c32 4e583e 706032 404e38", ("leaves",), (2.2, 2.2), "181e14 282c20"),
    Material.SKIN: Surface("c4967e aa7c64 6e4e3c 543c30"),
    Material.HAIR: Surface("28221e 46362a 826e54 787674"),
    Material.UPPER_CLOTH: Surface(_CLOTH, ("soft",), (0.8, 0.8)),
    Material.LOWER_CLOTH: Surface("2c303e 26262a 544e46 3c4254", ("soft",), (0.8, 0.8)),
    Material.CAR_PAINT: Surface("282a2e 424448 808284 a0a2a4 bebebc 2e384c 602828 464e46 1e2022"),
    Material.TRUCK_PAINT: Surface("969490 5a3c32 3c4a60 b4b0aa"),
    Material.CARGO: Surface("aaa8a4 827c72 545c68 926e50", ("soft",), (3, 3)),
    Material.BUS_PAINT: Surface("968246 823832 aaaaa6 506478"),
    Material.TRAM_PAINT: Surface("a08c50 963c36 b0aea8"),
    Material.CYCLE_PAINT: Surface("282a2e 642e2c 3c4654 8c8c8a 3c4c3c"),
    Material.GLASS: Surface("2c3236 3e4448 222428"),
    Material.TRIM: Surface("262628"),
    Material.TYRE: Surface("202020"),
    Material.RIM: Surface("828282"),
    Material.SPOKES: Surface("605e5a", ("soft",), (0.4, 0.4)),
    Material.HEADLIGHT: Surface("dcd8ce"),
    Material.TAILLIGHT: Surface("8c2424"),
    Material.PLASTIC: Surface("404842 5a5854 383a3e 786046", ("soft",)),
    Material.BONNET: Surface("323236"),
}


@cache
def paint() -> Paint:
    """All materials, with their textures."""
    return Paint(_SURFACES, texture.Atlas(_TEXTURES, seed=202))
