"""Columns of every type in every shape, and exact comparison of tables across the forms in which engines return them."""

import decimal
import math
import random
import struct
import uuid

import pyarrow as pa
import pyarrow.compute as pc

UTC = "UTC"
TYPES = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "decimal9": pa.decimal128(9, 2),
    "decimal18": pa.decimal128(18, 6),
    "decimal38": pa.decimal128(38, 10),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", UTC),
    "timestamp_ns": pa.timestamp("ns"),
    "timestamptz_ns": pa.timestamp("ns", UTC),
    "string": pa.string(),
    "binary": pa.binary(),
    "fixed": pa.binary(5),
    "uuid": pa.uuid(),
}
SHAPES = ["flat", "list", "map", "struct", "nested"]
# required: no nulls and no room for them. none: optional without a null.
NULLS = ["required", "none", "some", "all"]
ROWS = [0, 1, 400]

# Years 1 and 9999, the calendar's ends in most engines; the mild range is ClickHouse's, 1900 to 2299.
DAYS = {False: (-719_162, 2_932_896), True: (-25_567, 120_529)}
MICROS_PER_DAY = 86_400_000_000
TEXTS = ["", "a", "søren \U0001f9ca", "x" * 300, "x" * 299 + "y", "\U0010ffff" * 80, "z" * 64, "日本語" * 40]
# One NaN has one bit pattern here: engines keep it, and payloads are nobody's promise.
FLOATS = [0.0, -0.0, 1.5, math.nan, math.inf, -math.inf]


def single(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def edges(kind: str, mild: bool) -> list:
    """Values at the ends of a type's range: raw numbers for times, Python objects for the rest."""
    low, high = DAYS[mild]
    digits = {"decimal9": (9, 2), "decimal18": (18, 6), "decimal38": (38, 10)}
    if kind in digits:
        precision, scale = digits[kind]
        most = 10**precision - 1
        with decimal.localcontext(decimal.Context(prec=60)):
            return [decimal.Decimal(raw).scaleb(-scale) for raw in (0, 1, -1, most, -most, 12345)]
    # Days that nanoseconds of 64 bits reach.
    nano_low, nano_high = max(low, -106_000), min(high, 106_000)
    return {
        "boolean": [True, False],
        "int": [0, 1, -1, 2**31 - 1, -(2**31), 1000],
        "long": [0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1],
        "float": FLOATS + [3.4028234663852886e38, single(1e-45)],
        "double": FLOATS + [1.7976931348623157e308, 5e-324],
        "date": [0, -1, low, high, 20_778],
        "time": [0, 1, MICROS_PER_DAY - 1, 43_200_000_001],
        "timestamp": [0, -1, low * MICROS_PER_DAY, high * MICROS_PER_DAY + 1, 1_510_871_468_123_456],
        "timestamptz": [0, -1, low * MICROS_PER_DAY, high * MICROS_PER_DAY + 1, 1_510_871_468_123_456],
        "timestamp_ns": [0, -1, nano_low * MICROS_PER_DAY * 1000, nano_high * MICROS_PER_DAY * 1000 + 1],
        "timestamptz_ns": [0, -1, nano_low * MICROS_PER_DAY * 1000, nano_high * MICROS_PER_DAY * 1000 + 1],
        "string": TEXTS,
        "binary": [b"", b"\0", b"\xff" * 300, b"\xff" * 64, b"raw \x80"],
        "fixed": [b"\0\0\0\0\0", b"\xff\xff\xff\xff\xff", b"fixed"],
        "uuid": [uuid.UUID(int=0).bytes, uuid.UUID(int=2**128 - 1).bytes, uuid.UUID(int=2**127 + 5).bytes],
    }[kind]


def draw(kind: str, dice: random.Random, mild: bool):
    """A random value of a range small enough that some repeat."""
    low, high = DAYS[mild]
    if kind.startswith("decimal"):
        return decimal.Decimal(dice.randrange(-9999, 9999)).scaleb(-2)
    if kind.startswith("timestamp"):
        micros = dice.randrange(-36_000, 47_000) * MICROS_PER_DAY + dice.randrange(1000)
        return micros * 1000 + dice.randrange(1000) if kind.endswith("_ns") else micros
    return {
        "boolean": lambda: dice.random() < 0.5,
        "int": lambda: dice.randrange(-100, 100),
        "long": lambda: dice.randrange(2**40, 2**40 + 90),
        "float": lambda: single(dice.randrange(100) / 8),
        "double": lambda: dice.randrange(100) / 7,
        "date": lambda: dice.randrange(low, high),
        "time": lambda: dice.randrange(MICROS_PER_DAY),
        "string": lambda: f"name {dice.randrange(50)}",
        "binary": lambda: dice.randbytes(dice.randrange(4)),
        "fixed": lambda: dice.randbytes(1) * 5,
        "uuid": lambda: uuid.UUID(int=dice.randrange(40) << 100).bytes,
    }[kind]()


class Generator:
    """Arrays with nulls at every level, from one seed."""

    def __init__(self, nulls: str, mild: bool):
        self.dice = random.Random(f"{nulls} {mild}")
        self.nulls = nulls
        self.mild = mild
        self.share = {"required": 0, "none": 0, "some": 0.25, "all": 1}[nulls]

    def missing(self) -> bool:
        return self.dice.random() < self.share

    def field(self, name: str, kind: pa.DataType) -> pa.Field:
        return pa.field(name, kind, nullable=self.nulls != "required")

    def leaf(self, kind: str, count: int) -> pa.Array:
        first = edges(kind, self.mild)
        values = first[:count] + [
            self.dice.choice(first) if self.dice.random() < 0.2 else draw(kind, self.dice, self.mild)
            for _ in range(count - len(first))
        ]
        values = [None if self.missing() else value for value in values]
        target = TYPES[kind]
        if kind == "uuid":
            return pa.ExtensionArray.from_storage(target, pa.array(values, pa.binary(16)))
        if kind == "date":
            return pa.array(values, pa.int32()).view(target)
        if kind.startswith("time"):
            return pa.array(values, pa.int64()).view(target)
        return pa.array(values, target)

    def lengths(self, count: int) -> tuple[pa.Array, pa.Array, int]:
        """Offsets, nulls and the number of items of lists."""
        mask = [self.missing() for _ in range(count)]
        offsets = [0]
        for null in mask:
            offsets.append(offsets[-1] + (0 if null else self.dice.choice([0, 1, 2, 5])))
        return pa.array(offsets, pa.int32()), pa.array(mask, pa.bool_()), offsets[-1]

    def list(self, items, count: int, element: str = "element") -> pa.Array:
        offsets, mask, total = self.lengths(count)
        inner = items(total)
        return pa.ListArray.from_arrays(offsets, inner, type=pa.list_(self.field(element, inner.type)), mask=mask)

    def struct(self, children: dict[str, pa.Array], count: int) -> pa.Array:
        mask = pa.array([self.missing() for _ in range(count)], pa.bool_())
        fields = [self.field(name, array.type) for name, array in children.items()]
        return pa.StructArray.from_arrays(list(children.values()), fields=fields, mask=mask)

    def map(self, kind: str, count: int) -> pa.Array:
        offsets, mask, total = self.lengths(count)
        ends = offsets.to_pylist()
        keys = [f"k{item}" for start, end in zip(ends, ends[1:]) for item in range(end - start)]
        values = self.leaf(kind, total)
        entries = pa.map_(pa.field("key", pa.string(), nullable=False), self.field("value", values.type))
        # from_arrays of maps takes nulls as null offsets.
        nullable = pa.array([None if null else end for null, end in zip(mask.to_pylist(), ends)] + ends[-1:], pa.int32())
        return pa.MapArray.from_arrays(nullable, pa.array(keys, pa.string()), values, type=entries)

    def column(self, kind: str, shape: str, count: int) -> pa.Array:
        if shape == "flat":
            return self.leaf(kind, count)
        if shape == "list":
            return self.list(lambda total: self.leaf(kind, total), count)
        if shape == "map":
            return self.map(kind, count)
        if shape == "struct":
            return self.struct({"a": self.leaf(kind, count), "b": self.leaf(kind, count)}, count)
        leaves = lambda total: self.leaf(kind, total)  # noqa: E731
        return self.list(
            lambda total: self.struct({"v": self.leaf(kind, total), "l": self.list(leaves, total)}, total), count
        )


def make_table(nulls: str, rows: int, *, mild: bool = False, types=TYPES, shapes=SHAPES) -> pa.Table:
    """A column a type and shape, named after both."""
    generator = Generator(nulls, mild)
    fields, arrays = [], []
    for kind in types:
        for shape in shapes:
            array = generator.column(kind, shape, rows)
            fields.append(generator.field(f"{shape}_{kind}", array.type))
            arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def leaf_paths(schema: pa.Schema) -> dict[str, pa.DataType]:
    """Parquet's path of every leaf as pyarrow names it, with its type."""
    found = {}

    def walk(path: str, kind: pa.DataType) -> None:
        if pa.types.is_struct(kind):
            for field in kind:
                walk(f"{path}.{field.name}", field.type)
        elif pa.types.is_list(kind):
            walk(f"{path}.list.element", kind.value_type)
        elif pa.types.is_map(kind):
            walk(f"{path}.key_value.key", kind.key_type)
            walk(f"{path}.key_value.value", kind.item_type)
        else:
            found[path] = kind

    for field in schema:
        walk(field.name, field.type)
    return found


# Comparison


def plain_leaf(array: pa.Array, kind: pa.DataType, zones: bool) -> pa.Array:
    """The values in one form a type: bits of floats and counts of time, bytes of text, uuids and fixed values."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if kind == pa.binary(16) and (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        texts = [None if text is None else uuid.UUID(text).bytes for text in array.to_pylist()]
        return pa.array(texts, pa.binary())
    if pa.types.is_fixed_size_binary(kind) or pa.types.is_binary(kind):
        return array.cast(pa.binary())
    if pa.types.is_string(kind):
        return array.cast(pa.string())
    if pa.types.is_timestamp(kind):
        assert pa.types.is_timestamp(array.type), f"{array.type} instead of {kind}"
        assert not zones or (array.type.tz is None) == (kind.tz is None), f"{array.type} instead of {kind}"
        return array.cast(pa.timestamp(kind.unit, array.type.tz)).view(pa.int64())
    if pa.types.is_floating(kind):
        assert array.type == kind, f"{array.type} instead of {kind}"
        return array.view(pa.int64() if kind == pa.float64() else pa.int32())
    if pa.types.is_time(kind) or pa.types.is_decimal(kind) or pa.types.is_boolean(kind):
        return array.cast(kind)
    assert array.type == kind, f"{array.type} instead of {kind}"
    return array


def as_list(array: pa.Array) -> pa.Array:
    """Maps as the lists of entries that they are."""
    if not pa.types.is_map(array.type):
        return array
    entries = pa.StructArray.from_arrays([array.keys, array.items], names=["key", "value"])
    return pa.ListArray.from_arrays(array.offsets, entries, mask=array.is_null())


def parts(array: pa.Array, kind: pa.DataType, path: str, zones: bool = True) -> list[tuple[str, pa.Array]]:
    """A column taken apart: nulls and lengths of every level, values of every leaf."""
    if pa.types.is_list(kind) or pa.types.is_map(kind):
        array = as_list(array)
        lengths = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
        own = [(path + " nulls", array.is_valid()), (path + " lengths", lengths)]
        if pa.types.is_map(kind):
            key, value = array.flatten().flatten()
            own += parts(key, kind.key_type, path + ".key", zones)
            return own + parts(value, kind.item_type, path + ".value", zones)
        return own + parts(array.flatten(), kind.value_type, path + ".element", zones)
    if pa.types.is_struct(kind):
        found = [(path + " nulls", array.is_valid())]
        for field, child in zip(kind, array.flatten(), strict=True):
            found += parts(child, field.type, f"{path}.{field.name}", zones)
        return found
    return [(path, plain_leaf(array, kind, zones))]


def whole(column: pa.ChunkedArray) -> pa.Array:
    kind = storage(column.type)
    chunks = [chunk if kind == column.type else chunk.cast(kind) for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks) if chunks else pa.array([], kind)


def storage(kind: pa.DataType) -> pa.DataType:
    """The type without extension types at any depth; arrays of those cannot be taken apart."""
    if isinstance(kind, pa.BaseExtensionType):
        return kind.storage_type
    if pa.types.is_map(kind):
        key, item = kind.key_field, kind.item_field
        return pa.map_(key.with_type(storage(key.type)), item.with_type(storage(item.type)))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        make = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return make(kind.value_field.with_type(storage(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(storage(field.type)) for field in kind])
    return kind


def common(kind: pa.DataType) -> pa.DataType:
    """The type with offsets of 32 bits and times in microseconds, as the comparison knows them."""
    kind = storage(kind)
    if pa.types.is_map(kind):
        key, item = kind.key_field, kind.item_field
        return pa.map_(key.with_type(common(key.type)), item.with_type(common(item.type)))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(kind.value_field.with_type(common(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(common(field.type)) for field in kind])
    if pa.types.is_time(kind):
        return pa.time64("us")
    if pa.types.is_timestamp(kind) and kind.unit in ("s", "ms"):
        return pa.timestamp("us", kind.tz)
    return {
        pa.large_string(): pa.string(), pa.large_binary(): pa.binary(), pa.uint8(): pa.int32(), pa.int8(): pa.int32(),
        pa.uint16(): pa.int32(), pa.int16(): pa.int32(), pa.uint32(): pa.int64(), pa.uint64(): pa.decimal128(20, 0),
    }.get(kind, kind)  # fmt: skip


def differences(
    actual: pa.Table, expected: pa.Table, *, nested_nulls: bool = True, zones: bool = True
) -> list[str]:
    """What differs, a line a column; an engine without nulls of lists, maps and structs has them empty, and one without
    timestamps of no zone gives them one."""
    if actual.column_names != expected.column_names:
        return [f"columns {actual.column_names}"]
    if actual.num_rows != expected.num_rows:
        return [f"{actual.num_rows} rows instead of {expected.num_rows}"]
    found = []
    for name in expected.column_names:
        theirs = whole(expected.column(name))
        kind = common(theirs.type)
        theirs = theirs if kind == theirs.type else theirs.cast(kind)
        try:
            ours = parts(whole(actual.column(name)), kind, name, zones)
        except (AssertionError, pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
            found.append(f"{name}: {error}")
            continue
        for (path, mine), (_, other) in zip(ours, parts(theirs, kind, name), strict=True):
            if mine.equals(other) or (path.endswith(" nulls") and not nested_nulls):
                continue
            at = next((row for row, pair in enumerate(zip(mine, other)) if not pair[0].equals(pair[1])), None)
            where = f"{len(mine)} values instead of {len(other)}"
            found.append(f"{path}: {where if at is None else f'value {at}: {mine[at]} instead of {other[at]}'}")
            break
    return found
