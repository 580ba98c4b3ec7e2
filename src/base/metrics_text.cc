// The Prometheus text format 0.0.4 (https://prometheus.io/docs/instrumenting/exposition_formats/).
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "duplex/base/metrics.h"

namespace duplex {
namespace {

constexpr std::string_view kOverflow = R"(otel_metric_overflow="true")";

[[noreturn]] void abort_misused(std::string_view name, std::string_view why) {
  std::fprintf(stderr, "duplex: metric %.*s: %.*s\n", static_cast<int>(name.size()), name.data(),
               static_cast<int>(why.size()), why.data());
  std::abort();
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(std::string_view name) {
  return !name.empty() && is_letter(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  for (char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && quotes)
      out += "\\\"";
    else
      out += c;
  }
}

template <class N>
void append_number(std::string& out, N n) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, n).ptr);
}
template <>
void append_number(std::string& out, double n) {
  if (std::isnan(n))
    out += "NaN";
  else if (std::isinf(n))
    out += n > 0 ? "+Inf" : "-Inf";
  else {
    char text[32];
    out.append(text, std::to_chars(text, text + sizeof text, n).ptr);
  }
}

// name_suffix{labels,more} without the value.
void append_series(std::string& out, std::string_view name, std::string_view suffix, std::string_view labels,
                   std::string_view more = {}) {
  out.append(name).append(suffix);
  if (!labels.empty() || !more.empty()) {
    out.append(1, '{').append(labels);
    if (!labels.empty() && !more.empty()) out += ',';
    out.append(more).append(1, '}');
  }
  out += ' ';
}

template <class T>
void append_value(std::string& out, std::string_view name, std::string_view labels, const T& metric) {
  append_series(out, name, "", labels);
  append_number(out, metric.value());
  out += '\n';
}

void append_value(std::string& out, std::string_view name, std::string_view labels, const Histogram& histogram) {
  Histogram::Snapshot s = histogram.read();
  const Buckets& buckets = histogram.buckets();
  uint64_t below = 0;
  for (size_t i = 0; i < s.counts.size(); ++i) {
    below += s.counts[i];
    std::string bound = "le=\"";
    // Nanoseconds divided, not multiplied, by a power of ten: 5e6 / 1e9 is .005, 5e6 * 1e-9 is .005000000000000001.
    if (i == buckets.bounds.size())
      bound += "+Inf";
    else
      append_number(bound, static_cast<double>(buckets.bounds[i]) / std::round(1 / buckets.scale));
    append_series(out, name, "_bucket", labels, bound += '"');
    append_number(out, below);
    out += '\n';
  }
  append_series(out, name, "_sum", labels);
  append_number(out, static_cast<double>(s.sum) * buckets.scale);
  out += '\n';
  append_series(out, name, "_count", labels);
  append_number(out, s.count);
  out += '\n';
}

template <class T>
constexpr std::string_view kType = "gauge";
template <>
constexpr std::string_view kType<Counter> = "counter";
template <>
constexpr std::string_view kType<Histogram> = "histogram";

}  // namespace

template <class T>
T& Family<T>::with(std::initializer_list<std::string_view> values) {
  if (values.size() != labels_.size()) abort_misused(name_, "the number of label values is not that of the labels");
  std::string key;
  size_t i = 0;
  for (std::string_view value : values) {
    if (i) key += ',';
    key.append(labels_[i++]).append("=\"");
    append_escaped(key, value, true);
    key += '"';
  }
  std::lock_guard lock(mutex_);
  if (auto it = series_.find(key); it != series_.end()) return *it->second;
  if (series_.size() >= kMaxSeries) {
    if (!overflow_) overflow_ = make_();
    return *overflow_;
  }
  return *series_.emplace(std::move(key), make_()).first->second;
}

template <class T>
void Family<T>::render(std::string& out) const {
  out.append("# HELP ").append(name_).append(1, ' ');
  append_escaped(out, help_, false);
  out.append("\n# TYPE ").append(name_).append(1, ' ').append(kType<T>).append(1, '\n');
  std::lock_guard lock(mutex_);
  for (auto& [labels, metric] : series_) append_value(out, name_, labels, *metric);
  if (overflow_) append_value(out, name_, kOverflow, *overflow_);
}

template class Family<Counter>;
template class Family<UpDownCounter>;
template class Family<Gauge>;
template class Family<Histogram>;

template <class T>
Family<T>& Registry::family(std::string_view name, std::string_view help, std::vector<std::string> labels,
                            std::string signature, typename Family<T>::Make make) {
  if (!is_name(name)) abort_misused(name, "this is no Prometheus name");
  for (const std::string& label : labels) {
    if (!is_name(label) || label.starts_with("__") || label == "le")
      abort_misused(name, "this label is not allowed: " + label);
    signature += ' ' + label;
  }
  std::lock_guard lock(mutex_);
  auto it = families_.find(name);
  if (it == families_.end()) {
    auto made = std::make_unique<Family<T>>(std::string(name), std::string(help), std::move(labels), std::move(make));
    it = families_.emplace(std::string(name), Entry{std::move(made), std::move(signature)}).first;
  } else if (it->second.signature != signature) {
    abort_misused(name, "asked for as '" + signature + "', but it is there as '" + it->second.signature + "'");
  }
  return static_cast<Family<T>&>(*it->second.family);
}

Family<Counter>& Registry::counters(std::string_view name, std::string_view help, std::vector<std::string> labels) {
  if (!name.ends_with("_total")) abort_misused(name, "a counter's name ends in _total");
  return family<Counter>(name, help, std::move(labels), "counter", [] { return std::make_unique<Counter>(); });
}

Family<UpDownCounter>& Registry::up_down_counters(std::string_view name, std::string_view help,
                                                  std::vector<std::string> labels) {
  return family<UpDownCounter>(name, help, std::move(labels), "up_down",
                               [] { return std::make_unique<UpDownCounter>(); });
}

Family<Gauge>& Registry::gauges(std::string_view name, std::string_view help, std::vector<std::string> labels) {
  return family<Gauge>(name, help, std::move(labels), "gauge", [] { return std::make_unique<Gauge>(); });
}

Family<Histogram>& Registry::histograms(std::string_view name, std::string_view help, std::vector<std::string> labels,
                                        Buckets buckets) {
  if (buckets.bounds.size() > detail::kMaxBounds || !std::is_sorted(buckets.bounds.begin(), buckets.bounds.end()))
    abort_misused(name, "a histogram has at most 22 bounds, ascending");
  std::string signature = "histogram";
  for (uint64_t bound : buckets.bounds) signature += ' ' + std::to_string(bound);
  return family<Histogram>(name, help, std::move(labels), std::move(signature),
                           [buckets] { return std::make_unique<Histogram>(buckets); });
}

std::string Registry::render() const {
  std::string out;
  std::lock_guard lock(mutex_);
  for (auto& [name, entry] : families_) entry.family->render(out);
  return out;
}

}  // namespace duplex
