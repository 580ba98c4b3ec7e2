#include "contract/json_reader.h"

#include <cstring>

namespace duplex::contract {

namespace {

// Whether the name at `raw`, up to its quote, is that of `,"name":`.
bool is_name(const std::string& key, const char* raw) { return std::memcmp(raw, key.data() + 2, key.size() - 3) == 0; }

}  // namespace

bool JsonReader::message(const MessageTable& type, ondemand::value& value, int depth) {
  switch (type.form) {
    case Form::kObject: {
      ondemand::object object;
      return input_.object_of(value, object, "an object", depth) && members(type, object, depth + 1, false);
    }
    case Form::kAny:
      return any(type, value, depth);
    case Form::kTimestamp:
      return time_point(value);
    case Form::kDuration:
      return time_span(value);
    case Form::kFieldMask:
      return field_mask(type, value);
    case Form::kStruct:
      return map(type.fields[0], value, depth);
    case Form::kListValue:
      return list(type.fields[0], value, depth);
    case Form::kValue:
      return any_json(type, value, depth);
    case Form::kWrapper:
      return single(type.fields[0], value, Zero::kIsLeftOut, depth);
  }
  return false;
}

bool JsonReader::field(const FieldTable& field, ondemand::value& value, int depth) {
  if (JsonInput::is_null(value) && (field.repeated || !field.in_json_null)) return true;
  if (field.map) return map(field, value, depth);
  if (field.repeated) return list(field, value, depth);
  return single(field, value, field.presence ? Zero::kIsWritten : Zero::kIsLeftOut, depth);
}

bool JsonReader::members(const MessageTable& type, ondemand::object& object, int depth, bool of_any) {
  std::vector<uint64_t>& all_seen = input_.scratch().seen;
  const size_t seen = all_seen.size();
  all_seen.resize(seen + (type.fields.size() + type.oneofs.size()) / 64 + 1);
  size_t next = 0;
  bool typed = false;
  for (auto&& member : object) {
    if (auto error = member.error()) return input_.malformed(error);
    ondemand::field&& read = std::move(member).value_unsafe();
    const ondemand::raw_json_string key = read.key();
    ondemand::value& value = read.value();
    const FieldTable* known = find(type, key, next);
    if (!known) {
      if (!input_.fault().what.empty()) return false;
      if (of_any) {
        std::string_view name;
        if (!input_.text_of(key, name)) return false;
        if (name == "@type") {
          if (typed) return input_.fail("the field stands twice") || input_.in_member(key);
          typed = true;
          if (!input_.skip(value, depth)) return false;
          continue;
        }
      }
      if (!unknown_member(type, value, depth)) return input_.in_member(key);
      continue;
    }
    if (!note_seen(*known, seen)) return input_.in_member(key);
    const bool counts = known->oneof >= 0 && (known->in_json_null || !JsonInput::is_null(value));
    if (counts && !note_oneof(type, *known, seen)) return input_.in_member(key);
    if (!field(*known, value, depth)) return input_.in_member(key);
  }
  all_seen.resize(seen);
  return true;
}

const FieldTable* JsonReader::find(const MessageTable& type, ondemand::raw_json_string key, size_t& next) {
  // Most often they come in the order of their numbers, and then no name needs to be looked up.
  if (next < type.fields.size()) {
    const FieldTable& guess = type.fields[next];
    const size_t left = input_.left(key.raw());
    if ((guess.key.size() <= left && is_name(guess.key, key.raw())) ||
        (guess.json_key.size() <= left && is_name(guess.json_key, key.raw()))) {
      ++next;
      return &guess;
    }
  }
  std::string_view name;
  if (!input_.text_of(key, name)) return nullptr;
  const int32_t* found = type.names.find(name);
  if (!found) return nullptr;
  next = static_cast<size_t>(*found) + 1;
  return &type.fields[next - 1];
}

bool JsonReader::note(size_t bit, size_t seen) {
  uint64_t& word = input_.scratch().seen[seen + bit / 64];
  const bool fresh = !(word >> (bit % 64) & 1);
  word |= uint64_t{1} << (bit % 64);
  return fresh;
}

bool JsonReader::note_seen(const FieldTable& field, size_t seen) {
  return note(field.index, seen) || input_.fail("the field stands twice");
}

bool JsonReader::note_oneof(const MessageTable& type, const FieldTable& field, size_t seen) {
  const auto oneof = static_cast<size_t>(field.oneof);
  return note(type.fields.size() + oneof, seen) ||
         input_.fail("another field of the oneof " + std::string(type.oneofs[oneof]) +
                     " is given too, and only one of them can be");
}

bool JsonReader::unknown_member(const MessageTable& type, ondemand::value& value, int depth) {
  if (reading_.skip_unknown) return input_.skip(value, depth);
  return input_.fail(std::string(type.full_name) + " has no such field");
}

bool JsonReader::single(const FieldTable& field, ondemand::value& value, Zero zero, int depth) {
  switch (field.kind) {
    case Kind::kMessage:
    case Kind::kGroup:
      return nested(field, value, depth);
    case Kind::kString:
      return text(field, value, zero);
    case Kind::kBytes:
      return bytes(field, value, zero);
    default: {
      uint64_t bits = 0;
      bool skipped = false;
      if (!number(field, value, bits, skipped)) return false;
      skipped_ = skipped;
      if (skipped || (bits == 0 && zero == Zero::kIsLeftOut)) return true;
      out_.need(8 + ByteOutput::kMostVarint);
      out_.put_tag(field.tag, field.tag_size);
      put_number(field.kind, bits);
      return true;
    }
  }
}

bool JsonReader::nested(const FieldTable& field, ondemand::value& value, int depth) {
  out_.need(8);
  out_.put_tag(field.tag, field.tag_size);
  if (field.kind == Kind::kGroup) {
    if (!message(*field.message, value, depth)) return false;
    out_.need(ByteOutput::kMostVarint);
    out_.put_varint(static_cast<uint64_t>(field.number) << 3 | static_cast<uint64_t>(wire::Type::kEndGroup));
    return true;
  }
  const size_t start = out_.open();
  if (!message(*field.message, value, depth)) return false;
  out_.close(start);
  return true;
}

bool JsonReader::list(const FieldTable& field, ondemand::value& value, int depth) {
  ondemand::array array;
  if (!input_.array_of(value, array, "an array", depth)) return false;
  if (field.packed) return packed(field, array);
  size_t index = 0;
  for (auto&& element : array) {
    if (auto error = element.error()) return input_.malformed(error);
    ondemand::value&& item = std::move(element).value_unsafe();
    if (!field.in_json_null && JsonInput::is_null(item)) {
      input_.fail("null cannot stand in a list: leave it out");
      return input_.in_element(index);
    }
    if (!single(field, item, Zero::kIsWritten, depth + 1)) return input_.in_element(index);
    ++index;
  }
  return true;
}

bool JsonReader::packed(const FieldTable& field, ondemand::array& array) {
  const size_t before = out_.size();
  out_.need(8);
  out_.put_tag(field.tag, field.tag_size);
  const size_t start = out_.open();
  size_t index = 0;
  for (auto&& element : array) {
    if (auto error = element.error()) return input_.malformed(error);
    ondemand::value&& item = std::move(element).value_unsafe();
    uint64_t bits = 0;
    bool skipped = false;
    if (!number(field, item, bits, skipped)) return input_.in_element(index);
    ++index;
    if (skipped) continue;
    out_.need(ByteOutput::kMostVarint);
    put_number(field.kind, bits);
  }
  if (out_.size() == start) {
    out_.truncate(before);
  } else {
    out_.close(start);
  }
  return true;
}

bool JsonReader::map(const FieldTable& field, ondemand::value& value, int depth) {
  ondemand::object object;
  if (!input_.object_of(value, object, "an object", depth)) return false;
  const FieldTable& key_field = field.message->fields[0];
  const FieldTable& value_field = field.message->fields[1];
  const bool text_key = key_field.kind == Kind::kString;
  KeySet& keys = input_.scratch().keys;
  const size_t opened = keys.open();
  for (auto&& member : object) {
    if (auto error = member.error()) return input_.malformed(error);
    ondemand::field&& read = std::move(member).value_unsafe();
    const ondemand::raw_json_string key = read.key();
    const size_t before = out_.size();
    out_.need(8);
    out_.put_tag(field.tag, field.tag_size);
    size_t start = out_.open();
    uint64_t bits = 0;
    size_t text_size = 0;
    if (!map_key(key_field, key, bits, text_size)) return input_.in_member(key);
    if (!value_field.in_json_null && JsonInput::is_null(read.value())) {
      input_.fail("null cannot stand in a map: leave the key out");
      return input_.in_member(key);
    }
    skipped_ = false;
    if (!single(value_field, read.value(), Zero::kIsWritten, depth + 1)) return input_.in_member(key);
    if (skipped_) {
      skipped_ = false;
      out_.truncate(before);
      continue;
    }
    start = out_.close(start);
    if (text_key) {
      const size_t from = start + 1 + ByteOutput::varint_size(text_size);  // past its tag and length
      keys.add_text({out_.begin() + from, text_size}, from);
    } else {
      keys.add_number(bits);
    }
  }
  const bool twins = keys.has_twins(opened, out_.begin());
  keys.close(opened);
  return !twins || input_.fail("a key stands twice");
}

bool JsonReader::map_key(const FieldTable& key, ondemand::raw_json_string raw, uint64_t& bits, size_t& text_size) {
  std::string_view text;
  if (!input_.text_of(raw, text)) return false;
  out_.need(8 + ByteOutput::kMostVarint + text.size());
  if (key.kind != Kind::kString) {
    const std::string_view wanted = number_of_text(key.kind, text, true, bits);
    if (!wanted.empty()) return input_.wanted(wanted, "\"" + std::string(text) + "\"");
    out_.put_tag(key.tag, key.tag_size);
    put_number(key.kind, bits);
    return true;
  }
  out_.put_tag(key.tag, key.tag_size);
  out_.put_varint(text.size());
  std::memcpy(out_.at(), text.data(), text.size());
  out_.move_to(out_.at() + text.size());
  text_size = text.size();
  return true;
}

}  // namespace duplex::contract
