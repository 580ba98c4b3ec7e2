"""Random messages of any type, of values that have a JSON form: the edges of each type more often than its middle."""
import struct

from google.protobuf.descriptor import FieldDescriptor as Field

EDGES = {
    Field.CPPTYPE_INT32: [0, 1, -1, 2**31 - 1, -2**31],
    Field.CPPTYPE_INT64: [0, 1, -1, 2**63 - 1, -2**63, 2**53 + 1],
    Field.CPPTYPE_UINT32: [0, 1, 2**32 - 1],
    Field.CPPTYPE_UINT64: [0, 1, 2**64 - 1, 2**53 + 1],
    Field.CPPTYPE_DOUBLE: [0.0, 0.1, -1e300, 5e-324, 1.7976931348623157e308, float("inf"), float("-inf"), 123456789.0],
    Field.CPPTYPE_FLOAT: [0.0, 0.10000000149011612, 1.401298464324817e-45, 3.3999999521443642e38, float("-inf"), 16777217.0],
}
BITS = {Field.CPPTYPE_INT32: (32, True), Field.CPPTYPE_INT64: (64, True), Field.CPPTYPE_UINT32: (32, False),
        Field.CPPTYPE_UINT64: (64, False)}
TEXTS = ["", "a", "Zoë", "日本 🎉", "\"quoted\" \\ /", "line\nline\ttab", "<script>&amp;", "\0\x01\x7f",
         "\u2028\ufeff", "null", "x" * 300]
MASKS = ["patient", "cost_cents", "patient.name", "bill.state", "starts_at"]
MOST_DEPTH = 4


class RandomMessages:
    """`any_types`: the classes of which an Any may hold one. `nul`: whether a text may have one."""

    def __init__(self, random, any_types, nul=True):
        self.random, self.any_types, self.nul = random, any_types, nul

    def make(self, message_type):
        message = message_type()
        self.fill(message, 0)
        return message

    def fill(self, message, depth):
        special = getattr(self, "fill_" + message.DESCRIPTOR.name, None)
        if special and message.DESCRIPTOR.file.package == "google.protobuf":
            return special(message, depth)
        chosen = {oneof.name: self.random.choice(oneof.fields) for oneof in message.DESCRIPTOR.oneofs}
        for field in message.DESCRIPTOR.fields:
            if field.containing_oneof and chosen[field.containing_oneof.name] is not field:
                continue
            if self.random.random() < (0.5 if depth == 0 else 0.3):
                self.fill_field(message, field, depth)
        return None

    def fill_field(self, message, field, depth):
        name, r = field.name, self.random
        if field.message_type and field.message_type.GetOptions().map_entry:
            entries, parts = getattr(message, name), field.message_type.fields_by_name
            for _ in range(r.randint(0, 3)):
                key = self.value(parts["key"])
                if parts["value"].message_type:
                    self.fill(entries[key], depth + 1)
                else:
                    entries[key] = self.value(parts["value"])
        elif field.label == Field.LABEL_REPEATED:
            for _ in range(r.randint(0, 3)):
                if field.message_type:
                    self.fill(getattr(message, name).add(), depth + 1)
                else:
                    getattr(message, name).append(self.value(field))
        elif field.message_type:
            if depth < MOST_DEPTH:
                getattr(message, name).SetInParent()
                self.fill(getattr(message, name), depth + 1)
        else:
            setattr(message, name, self.value(field))

    def value(self, field):
        r, kind = self.random, field.cpp_type
        if kind in BITS:
            bits, signed = BITS[kind]
            return r.choice([*EDGES[kind], r.getrandbits(bits) - (2**(bits - 1) if signed else 0)])
        if kind == Field.CPPTYPE_DOUBLE:
            return r.choice([*EDGES[kind], float("nan"), r.uniform(-1e6, 1e6), r.gauss(0, 1) * 10.0**r.randint(-300, 300)])
        if kind == Field.CPPTYPE_FLOAT:
            rounded = struct.unpack("f", struct.pack("f", r.gauss(0, 1) * 10.0**r.randint(-30, 30)))[0]
            return r.choice([*EDGES[kind], float("nan"), rounded])
        if kind == Field.CPPTYPE_BOOL:
            return r.random() < 0.5
        if kind == Field.CPPTYPE_ENUM:  # open in proto3: a number without a name is kept
            known = [v.number for v in field.enum_type.values]
            return r.choice(known + known + [77, -2**31])
        if field.type == Field.TYPE_BYTES:
            return r.choice([b"", b"\0\xff\xfe", r.randbytes(r.randint(0, 40))])
        return self.text()

    def text(self):
        r = self.random
        made = "".join(chr(r.choice([r.randint(1, 0x7f), r.randint(0x80, 0xd7ff), r.randint(0xe000, 0x10ffff)]))
                       for _ in range(r.randint(1, 8)))
        made = r.choice([*TEXTS, made])
        return made if self.nul else made.replace("\0", "")

    # The types of google/protobuf whose JSON form is their own.

    def nanos(self):
        r = self.random
        return r.choice([0, r.randint(0, 999) * 10**6, r.randint(0, 10**6 - 1) * 1000, r.randint(0, 10**9 - 1)])

    def fill_Timestamp(self, message, _):
        message.seconds = self.random.choice([0, -62135596800, 253402300799, self.random.randint(0, 2**32)])
        message.nanos = self.nanos()

    def fill_Duration(self, message, _):
        sign = self.random.choice([1, -1])
        message.seconds = sign * self.random.choice([0, 1, 315576000000, self.random.randint(0, 10**6)])
        message.nanos = 0 if abs(message.seconds) == 315576000000 else sign * self.nanos()

    def fill_FieldMask(self, message, _):
        message.paths.extend(self.random.sample(MASKS, self.random.randint(0, 3)))

    def fill_Struct(self, message, depth):
        for _ in range(self.random.randint(0, 3)):
            self.fill_Value(message.fields[self.text()], depth + 1)

    def fill_ListValue(self, message, depth):
        for _ in range(self.random.randint(0, 3)):
            self.fill_Value(message.values.add(), depth + 1)

    def fill_Value(self, message, depth):
        r = self.random
        kind = r.choice(["null", "number", "text", "bool"] + (["struct", "list"] if depth < MOST_DEPTH else []))
        if kind == "null":
            message.null_value = 0
        elif kind == "number":
            message.number_value = r.choice([0.0, 0.1, -5.0, 1e300, 2.0**53, r.uniform(-1e9, 1e9)])
        elif kind == "text":
            message.string_value = self.text()
        elif kind == "bool":
            message.bool_value = r.random() < 0.5
        elif kind == "struct":
            message.struct_value.SetInParent()
            self.fill_Struct(message.struct_value, depth)
        else:
            message.list_value.SetInParent()
            self.fill_ListValue(message.list_value, depth)

    def fill_Any(self, message, depth):
        if depth >= MOST_DEPTH or self.random.random() < 0.1:
            return
        inner = self.random.choice(self.any_types)()
        self.fill(inner, depth + 1)
        message.Pack(inner)
