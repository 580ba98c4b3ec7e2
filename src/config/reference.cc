#include "duplex/config/table.h"

namespace duplex::config {
namespace {

std::string variable_of(const std::string& path) {
  std::string name = "DUPLEX_";
  for (char c : path) {
    if (c == '.')
      name += "__";
    else
      name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : (c == '-' ? '_' : c);
  }
  return name;
}

std::string cell(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '|')
      out += "\\|";
    else if (c == '\n')
      out += ' ';
    else
      out += c;
  }
  return out;
}

void append_section(std::string& out, const Shape& shape, const std::string& path, const std::string& doc) {
  bool head = false;
  for (const Shape::Entry& e : shape.entries()) {
    if (e.inside) continue;
    if (!head) {
      if (!path.empty()) out += "\n## `" + path + "`\n";
      if (!doc.empty()) out += "\n" + doc + "\n";
      out += "\n| setting | type | default | meaning | variable |\n| --- | --- | --- | --- | --- |\n";
      head = true;
    }
    std::string full = path.empty() ? e.name : path + "." + e.name;
    out += "| `" + e.name + "` | " + cell(e.type) + (e.unit.empty() ? "" : " (" + cell(e.unit) + ")") + " | " +
           (e.required ? "required" : "`" + cell(e.fallback) + "`") + " | " + cell(e.doc) + " | " + "`" +
           variable_of(full) + "` |\n";
  }
  for (const Shape::Entry& e : shape.entries())
    if (e.inside)
      append_section(out, *e.inside, (path.empty() ? e.name : path + "." + e.name) + (e.named ? ".<name>" : ""), e.doc);
}

}  // namespace

std::string reference(const Shape& shape) {
  std::string out =
      "# Settings\n\nDurations: `250ms`, `1.5s`, `1m30s`. Sizes: `64KiB`, `4MiB`. A list in a variable has commas.\n";
  append_section(out, shape, "", "");
  return out;
}

}  // namespace duplex::config
