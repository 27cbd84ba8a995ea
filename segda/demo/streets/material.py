"""The materials that scene geometry is made of; an appearance decides what each of them looks like."""

from enum import IntEnum

#: What a face is made of. Geometry names materials only, so one scene can be drawn in any appearance.
Material = IntEnum(
    "Material",
    "SKY ASPHALT MARKING KERB PAVING COBBLES GRASS FACADE_BRICK FACADE_PLASTER FACADE_STONE FACADE_GLASS SHOP "
    "AWNING DOOR ROOF SKYLINE WALL_BRICK WALL_CONCRETE FENCE_WOOD FENCE_METAL METAL HOUSING LAMP_RED LAMP_AMBER "
    "LAMP_GREEN LAMP_DARK SIGN_RED SIGN_BLUE SIGN_WHITE SIGN_YELLOW BARK LEAVES SKIN HAIR UPPER_CLOTH "
    "LOWER_CLOTH CAR_PAINT TRUCK_PAINT CARGO BUS_PAINT TRAM_PAINT CYCLE_PAINT GLASS TRIM TYRE RIM SPOKES "
    "HEADLIGHT TAILLIGHT PLASTIC BONNET",
    start=0,
)
