"""The materials of the camera appearance: worn, muted and irregular."""

from segda.data.streets import texture
from segda.data.streets.material import Material
from segda.data.streets.surface import Paint, Surface
from segda.data.streets.texture import Atlas, Texture


def paint() -> Paint:
    """All materials, with their textures."""
    return Paint(_surfaces(), _atlas())


def _atlas() -> Atlas:
    def plaster(r) -> Texture:
        return texture.plain(r, 0.1, 4, 6)

    def brick(r) -> Texture:
        return texture.bricks(r, 0.17, 32, 16, 0.3)

    def stone(r) -> Texture:
        return texture.bricks(r, 0.12, 8, 4, 0.3)

    return Atlas(
        {
            "plain": lambda r: texture.plain(r, 0.05, 16, 3),
            "soft": lambda r: texture.plain(r, 0.14, 4, 6),
            "asphalt": lambda r: texture.plain(r, 0.13, 16, 4),
            "patched": lambda r: texture.plain(r, 0.11, 4, 6),
            "slabs": lambda r: texture.bricks(r, 0.12, 8, 8, 0.3),
            "setts": lambda r: texture.bricks(r, 0.16, 16, 8, 0.35),
            "cobbles": lambda r: texture.bricks(r, 0.22, 32, 32, 0.35),
            "brick": brick,
            "brick windows": lambda r: texture.windows(r, brick(r), 2, 2, (0.36, 0.5)),
            "brick tall": lambda r: texture.windows(r, brick(r), 4, 2, (0.5, 0.58), 0),
            "plaster windows": lambda r: texture.windows(r, plaster(r), 2, 2, (0.38, 0.56), 1),
            "plaster three": lambda r: texture.windows(r, plaster(r), 3, 2, (0.46, 0.5), 0),
            "stone windows": lambda r: texture.windows(r, stone(r), 2, 2, (0.4, 0.64), 1),
            "glass": lambda r: texture.windows(r, plaster(r), 4, 3, (0.84, 0.76), 0),
            "shop": lambda r: texture.windows(r, plaster(r), 2, 1, (0.86, 0.66), 1),
            "planks": lambda r: texture.pickets(r, 0.16, 16, 0.9, False),
            "railing": lambda r: texture.pickets(r, 0.12, 32, 0.42, True),
            "leaves": lambda r: texture.foliage(r, 0.3, 0.7, 14),
            "grass": lambda r: texture.plain(r, 0.24, 12, 4),
        },
        seed=202,
    )


def _surfaces() -> dict[Material, Surface]:
    bay = (3.0, 3.2)
    panes = ((62, 66, 70), (44, 46, 50), (92, 98, 104), (120, 122, 120))
    cloth = ((44, 46, 54), (80, 80, 84), (110, 60, 58), (60, 74, 100), (150, 146, 140), (96, 90, 70), (36, 38, 40), (140, 110, 90))
    return {
        Material.SKY: Surface(((200, 205, 210),)),
        Material.ASPHALT: Surface(((86, 85, 84), (104, 102, 99), (74, 74, 77), (112, 108, 104)), ("asphalt", "patched"), (3, 3)),
        Material.MARKING: Surface(((190, 188, 180), (170, 168, 162), (200, 198, 190)), ("soft",)),
        Material.KERB: Surface(((164, 161, 154), (144, 140, 134)), ("soft",), (1, 1)),
        Material.PAVING: Surface(((146, 140, 132), (134, 120, 110), (158, 148, 138), (124, 122, 122)), ("slabs", "setts"), (3, 3)),
        Material.COBBLES: Surface(((104, 100, 96), (92, 84, 80)), ("cobbles",), (3, 3)),
        Material.GRASS: Surface(((90, 98, 58), (104, 104, 66), (76, 90, 54), (120, 106, 78)), ("grass",), (1.5, 1.5)),
        Material.FACADE_BRICK: Surface(((122, 84, 72), (104, 74, 66), (138, 104, 84), (110, 98, 90)), ("brick windows", "brick tall"), (6, 6.4), panes, bay),
        Material.FACADE_PLASTER: Surface(((188, 178, 158), (170, 164, 156), (196, 180, 150), (150, 148, 146), (186, 160, 140), (160, 168, 160), (206, 204, 198)), ("plaster windows", "plaster three"), (6, 6.4), panes, bay),
        Material.FACADE_STONE: Surface(((150, 140, 122), (128, 124, 118), (164, 156, 144)), ("stone windows",), (6, 6.4), panes, bay),
        Material.FACADE_GLASS: Surface(((104, 108, 112), (86, 88, 92)), ("glass",), (6, 9.6), ((84, 96, 104), (64, 70, 78)), (1.5, 3.2)),
        Material.SHOP: Surface(((60, 60, 64), (120, 50, 46), (54, 70, 90), (140, 134, 124), (66, 84, 70)), ("shop",), (6, 3.3), ((54, 52, 50), (100, 92, 80)), (3, 3.3)),
        Material.AWNING: Surface(((130, 60, 54), (70, 84, 74), (150, 140, 120), (60, 62, 70)), ("soft",)),
        Material.DOOR: Surface(((74, 54, 40), (50, 52, 56), (96, 90, 84), (60, 70, 62))),
        Material.ROOF: Surface(((110, 72, 60), (78, 72, 70), (92, 90, 92)), ("setts",), (2, 2)),
        Material.SKYLINE: Surface(((140, 138, 136), (120, 118, 120), (150, 142, 132)), ("stone windows",), (9, 9), ((90, 92, 96),), (4.5, 4.5)),
        Material.WALL_BRICK: Surface(((118, 82, 70), (126, 104, 90)), ("brick",), (2.4, 2.4)),
        Material.WALL_CONCRETE: Surface(((140, 138, 132), (120, 120, 118), (152, 144, 132)), ("soft",), (3, 3)),
        Material.FENCE_WOOD: Surface(((104, 86, 66), (84, 72, 60), (136, 126, 112)), ("planks",), (2.0, 2.0)),
        Material.FENCE_METAL: Surface(((58, 62, 62), (86, 90, 92), (50, 66, 56)), ("railing",), (2.8, 2.8), ((84, 88, 66), (104, 100, 92))),
        Material.METAL: Surface(((96, 98, 98), (124, 124, 122), (70, 74, 74), (94, 84, 72)), ("soft",)),
        Material.HOUSING: Surface(((34, 36, 36),)),
        Material.LAMP_RED: Surface(((255, 70, 50),)),
        Material.LAMP_AMBER: Surface(((255, 180, 70),)),
        Material.LAMP_GREEN: Surface(((90, 235, 190),)),
        Material.LAMP_DARK: Surface(((36, 44, 40), (50, 46, 36), (52, 36, 36))),
        Material.SIGN_RED: Surface(((170, 44, 42), (150, 50, 46))),
        Material.SIGN_BLUE: Surface(((44, 78, 140),)),
        Material.SIGN_WHITE: Surface(((206, 206, 202),)),
        Material.SIGN_YELLOW: Surface(((200, 164, 60),)),
        Material.BARK: Surface(((74, 64, 54), (96, 86, 76)), ("soft",), (0.7, 1.4)),
        Material.LEAVES: Surface(((70, 84, 46), (58, 74, 44), (86, 92, 50), (78, 88, 62), (112, 96, 50), (64, 78, 56)), ("leaves",), (2.2, 2.2), ((24, 30, 20), (40, 44, 32))),
        Material.SKIN: Surface(((196, 150, 126), (170, 124, 100), (110, 78, 60), (84, 60, 48))),
        Material.HAIR: Surface(((40, 34, 30), (70, 54, 42), (130, 110, 84), (120, 118, 116))),
        Material.UPPER_CLOTH: Surface(cloth, ("soft",), (0.8, 0.8)),
        Material.LOWER_CLOTH: Surface(((44, 48, 62), (38, 38, 42), (84, 78, 70), (60, 66, 84)), ("soft",), (0.8, 0.8)),
        Material.CAR_PAINT: Surface(((40, 42, 46), (66, 68, 72), (128, 130, 132), (160, 162, 164), (190, 190, 188), (46, 56, 76), (96, 40, 40), (70, 78, 70), (30, 32, 34))),
        Material.TRUCK_PAINT: Surface(((150, 148, 144), (90, 60, 50), (60, 74, 96), (180, 176, 170))),
        Material.CARGO: Surface(((170, 168, 164), (130, 124, 114), (84, 92, 104), (146, 110, 80)), ("soft",), (3, 3)),
        Material.BUS_PAINT: Surface(((150, 130, 70), (130, 56, 50), (170, 170, 166), (80, 100, 120))),
        Material.TRAM_PAINT: Surface(((160, 140, 80), (150, 60, 54), (176, 174, 168))),
        Material.CYCLE_PAINT: Surface(((40, 42, 46), (100, 46, 44), (60, 70, 84), (140, 140, 138), (60, 76, 60))),
        Material.GLASS: Surface(((44, 50, 54), (62, 68, 72), (34, 36, 40))),
        Material.TRIM: Surface(((38, 38, 40),)),
        Material.TYRE: Surface(((32, 32, 32),)),
        Material.RIM: Surface(((130, 130, 130),)),
        Material.SPOKES: Surface(((96, 94, 90),), ("soft",), (0.4, 0.4)),
        Material.HEADLIGHT: Surface(((220, 216, 206),)),
        Material.TAILLIGHT: Surface(((140, 36, 36),)),
        Material.PLASTIC: Surface(((64, 72, 66), (90, 88, 84), (56, 58, 62), (120, 96, 70)), ("soft",)),
        Material.BONNET: Surface(((50, 50, 54),)),
    }
