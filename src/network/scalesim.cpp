// SPDX-License-Identifier: Apache-2.0
// SCALE-Sim's tables: (1) split into lines and cells, (2) tell the kind by the header, (3) read each row, collecting what
// is wrong, (4) make layers. Output sizes are those of a valid convolution. A filter as wide as the image is folded into
// channels (same bytes, same sums), because that is how the tables write matrix products.
#include "network/scalesim.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "base/error.hpp"
#include "base/text.hpp"
#include "network/builder.hpp"
#include "network/numbers.hpp"

namespace gemel::scalesim {
namespace {

constexpr std::int64_t MostValue = 1 << 24;
constexpr std::int64_t MostFilters = 1 << 20;
constexpr std::uint64_t DefaultSeed = 1;

struct Cell {
  std::string text;  // trimmed, unquoted
  int column = 0;    // from 1, in bytes
  int length = 1;
};

struct Line {
  int number = 0;
  std::string_view text;
  std::vector<Cell> cells;
};

// Blanks include the no-break space that spreadsheets leave (C2 A0).
std::string_view trim(std::string_view s) {
  const auto blank_front = [&] { return s.front() == ' ' || s.front() == '\t'; };
  for (;;) {
    if (!s.empty() && blank_front()) s.remove_prefix(1);
    else if (s.substr(0, 2) == "\xC2\xA0") s.remove_prefix(2);
    else break;
  }
  for (;;) {
    if (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
    else if (s.size() >= 2 && s.substr(s.size() - 2) == "\xC2\xA0") s.remove_suffix(2);
    else break;
  }
  return s;
}

std::vector<Cell> split(std::string_view line, char separator) {
  std::vector<Cell> cells;
  std::size_t begin = 0;
  for (;;) {
    std::size_t i = begin;
    bool quoted = false;
    for (; i < line.size() && (quoted || line[i] != separator); ++i)
      if (line[i] == '"') quoted = !quoted;
    const std::string_view raw = line.substr(begin, i - begin);
    std::string_view inner = trim(raw);
    Cell cell;
    cell.column = static_cast<int>(begin + (inner.empty() ? 0 : inner.data() - raw.data())) + 1;
    cell.length = std::max<int>(1, static_cast<int>(inner.size()));
    if (inner.size() >= 2 && inner.front() == '"' && inner.back() == '"') {
      inner = trim(inner.substr(1, inner.size() - 2));
      for (std::size_t k = 0; k < inner.size(); ++k) {
        cell.text += inner[k];
        if (inner[k] == '"' && k + 1 < inner.size() && inner[k + 1] == '"') ++k;
      }
    } else {
      cell.text = inner;
    }
    cells.push_back(std::move(cell));
    if (i >= line.size()) return cells;
    begin = i + 1;
  }
}

std::vector<Line> split_lines(std::string_view text) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  std::vector<Line> lines;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    lines.push_back({number, text.substr(0, end), {}});
    const bool crlf = text.substr(end, 2) == "\r\n";
    text.remove_prefix(std::min(end + (crlf ? 2 : 1), text.size()));
  }
  return lines;
}

// "  IFMAP  Height" -> "ifmap height"
std::string normalized(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t' || c == '_';
    if (!blank) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!out.empty() && out.back() != ' ') out += ' ';
  }
  return out;
}

bool starts_with(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

enum class Kind { Convolution, Gemm };
enum class Extra { Ignored, StrideW, Batch, Sparsity, Unnamed };

struct Header {
  Kind kind = Kind::Convolution;
  char separator = ',';
  int values = 7;             // columns behind the name that every row must fill
  std::vector<Extra> extras;  // of the columns behind those
};

const char* const ConvolutionColumns[] = {"IFMAP Height", "IFMAP Width", "Filter Height", "Filter Width",
                                          "Channels",     "Num Filter",  "Strides"};
const char* const GemmColumns[] = {"M", "N", "K"};

bool is_gemm_header(const std::vector<Cell>& cells) {
  return cells.size() >= 4 && normalized(cells[1].text) == "m" && normalized(cells[2].text) == "n" &&
         normalized(cells[3].text) == "k";
}

// By position, as SCALE-Sim reads them; the words must only not contradict it (some tables have "IFMAP Width" twice).
bool is_convolution_header(const std::vector<Cell>& cells) {
  static const char* const starts[] = {"ifmap", "ifmap", "filter", "filter", "channel", "num filter", "stride"};
  if (cells.size() < 8) return false;
  for (int i = 0; i < 7; ++i)
    if (!starts_with(normalized(cells[i + 1].text), starts[i])) return false;
  return true;
}

std::optional<Header> read_header(const Line& line) {
  for (const char separator : {',', '\t', ';'}) {
    const auto cells = split(line.text, separator);
    Header header;
    header.separator = separator;
    if (is_gemm_header(cells)) {
      header.kind = Kind::Gemm;
      header.values = 3;
    } else if (!is_convolution_header(cells)) {
      continue;
    }
    for (std::size_t i = header.values + 1; i < cells.size(); ++i) {
      const std::string name = normalized(cells[i].text);
      header.extras.push_back(name.empty()                       ? Extra::Unnamed
                              : starts_with(name, "sparsity")    ? Extra::Sparsity
                              : starts_with(name, "batch")       ? Extra::Batch
                              : starts_with(name, "stride")      ? Extra::StrideW
                                                                 : Extra::Ignored);
    }
    return header;
  }
  return std::nullopt;
}

// One row, as numbers.
struct Row {
  std::string name;
  std::array<std::int64_t, 7> values{};
  std::int64_t stride_w = 0, batch = 1;  // 0: as the other stride
  int keep = 0, of = 0;                  // N:M sparsity; 0: none
  const Line* line = nullptr;
};

class Table {
 public:
  Table(const std::string& text, std::string file, const LoadOptions& options)
      : text_(text),
        options_(options),
        builder_({}, std::move(file)),
        net_(builder_.network()),
        numbers_(options.seed.value_or(DefaultSeed), options.timing_only) {
    net_.name = std::filesystem::path(net_.file).stem().string();
  }
  Network load();

 private:
  bool read_row(const Line& line, Row& row);
  bool read_extra(const Line& line, std::size_t index, Row& row);
  std::optional<std::int64_t> read_value(const Line& line, const Cell& cell, const std::string& name);
  void add_layer(const Row& row);
  std::string unique(const std::string& name);
  void complain(const char* code, const Line& line, const Cell& cell, std::string message, std::string hint = {});
  const char* column_name(int i) const { return header_.kind == Kind::Gemm ? GemmColumns[i] : ConvolutionColumns[i]; }

  const std::string& text_;
  LoadOptions options_;
  Header header_;
  NetworkBuilder builder_;
  Network& net_;  // the builder's
  SyntheticNumbers numbers_;
  std::string section_;
  std::unordered_set<std::string> names_;
  std::unordered_map<std::string, int> copies_;  // of a name that stood before: the last number tried
  Diagnostics diagnostics_;
};

void Table::complain(const char* code, const Line& line, const Cell& cell, std::string message, std::string hint) {
  if (diagnostics_.full()) return;
  Diagnostic d;
  d.code = code;
  d.message = std::move(message);
  d.file = net_.file;
  d.line = line.number;
  d.column = cell.column;
  d.length = cell.length;
  d.excerpt = std::string(line.text);
  d.hint = std::move(hint);
  diagnostics_.add(std::move(d));
}

std::optional<std::int64_t> Table::read_value(const Line& line, const Cell& cell, const std::string& name) {
  if (cell.text.empty()) {
    complain("E0403", line, cell, "`" + name + "` is empty");
    return std::nullopt;
  }
  std::int64_t value = 0;
  const char* end = cell.text.data() + cell.text.size();
  const auto [stop, error] = std::from_chars(cell.text.data(), end, value);
  if (stop != end || error == std::errc::invalid_argument) {
    complain("E0404", line, cell, "`" + name + "` must be a whole number, not " + quote(cell.text));
    return std::nullopt;
  }
  if (error != std::errc() || value < 1 || value > MostValue) {
    complain("E0404", line, cell,
             "`" + name + "` is " + (cell.text.size() > 30 ? quote(cell.text) : cell.text) + ", but must be 1 to " +
                 std::to_string(MostValue));
    return std::nullopt;
  }
  return value;
}

bool Table::read_extra(const Line& line, std::size_t index, Row& row) {
  const Cell& cell = line.cells[index];
  if (cell.text.empty() || cell.text.front() == '#') return true;  // a comment
  const std::size_t i = index - header_.values - 1;
  Extra extra = i < header_.extras.size() ? header_.extras[i] : Extra::Unnamed;
  if (extra == Extra::Ignored) return true;
  const std::size_t colon = cell.text.find(':');
  if (extra == Extra::Unnamed) {  // by position and look, as SCALE-Sim does
    if (colon != std::string::npos) extra = Extra::Sparsity;
    else if (header_.kind == Kind::Convolution && i == 0) extra = Extra::StrideW;
    else {
      complain("E0404", line, cell, quote(cell.text) + " stands in a column that has no name",
               "notes may begin with `#`, or stand in a column with a name of its own");
      return false;
    }
  }
  if (extra == Extra::Sparsity) {
    const auto part = [&](std::string_view text) -> int {
      int number = 0;
      const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      return error == std::errc() && stop == text.data() + text.size() ? number : 0;
    };
    row.keep = colon == std::string::npos ? 0 : part(trim(std::string_view(cell.text).substr(0, colon)));
    row.of = colon == std::string::npos ? 0 : part(trim(std::string_view(cell.text).substr(colon + 1)));
    if (row.keep >= 1 && row.of >= row.keep && row.of <= MostFilters) return true;
    complain("E0404", line, cell, "sparsity must be N:M with 1 <= N <= M, not " + quote(cell.text));
    return false;
  }
  const auto value = read_value(line, cell, extra == Extra::Batch ? "Batch Size" : "Strides (second)");
  if (value) (extra == Extra::Batch ? row.batch : row.stride_w) = *value;
  return value.has_value();
}

bool Table::read_row(const Line& line, Row& row) {
  row.line = &line;
  const auto& cells = line.cells;
  bool good = true;
  if (cells[0].text.empty()) {
    complain("E0403", line, cells[0], "the layer has no name");
    good = false;
  }
  row.name = cells[0].text;
  for (int i = 0; i < header_.values; ++i) {
    if (cells.size() <= static_cast<std::size_t>(i) + 1) {
      Cell end;
      end.column = static_cast<int>(line.text.size()) + 1;
      complain("E0403", line, end, std::string("`") + column_name(i) + "` is missing: the row has " +
                                       std::to_string(cells.size() - 1) + " of " + std::to_string(header_.values) + " values");
      return false;
    }
    const auto value = read_value(line, cells[i + 1], column_name(i));
    good = good && value;
    row.values[i] = value.value_or(1);
  }
  for (std::size_t i = header_.values + 1; i < cells.size(); ++i) good = read_extra(line, i, row) && good;
  return good;
}

std::string Table::unique(const std::string& name) {
  const auto taken = [&](const std::string& candidate) {
    return builder_.find(candidate) >= 0 || builder_.find(candidate + ".input") >= 0 || !names_.insert(candidate).second;
  };
  if (!taken(name)) return name;
  int& number = copies_.emplace(name, 1).first->second;
  std::string candidate;
  do candidate = name + "_" + std::to_string(++number);
  while (taken(candidate));
  return candidate;
}

void Table::add_layer(const Row& row) {
  const Line& line = *row.line;
  std::int64_t h = 1, w = 1, c = 1, kh = 1, kw = 1, filters = 1, sh = 1, sw = 1;
  if (header_.kind == Kind::Gemm) {
    w = row.values[0], filters = row.values[1], c = row.values[2];
  } else {
    h = row.values[0], w = row.values[1], kh = row.values[2], kw = row.values[3];
    c = row.values[4], filters = row.values[5], sh = row.values[6];
    sw = row.stride_w ? row.stride_w : sh;
  }
  if (kh > h || kw > w) {
    complain("E0405", line, line.cells[kh > h ? 3 : 4],
             "the filter " + std::to_string(kh) + "x" + std::to_string(kw) + " is larger than the image " + std::to_string(h) + "x" +
                 std::to_string(w),
             "tables have no padding: give the padded size of the image");
    return;
  }
  const std::int64_t n = options_.batch > 0 ? options_.batch : row.batch;
  if (kw == w) {  // one window per row: rows of w*c values, multiplied
    c *= w;
    w = kw = sw = 1;
    if (kh == h) {
      c *= h;
      h = kh = sh = 1;
    } else if (kh == 1 && sh == 1) {  // a matrix product: h rows
      std::swap(h, w);
    }
  }

  Layer layer;
  layer.name = unique(section_.empty() ? row.name : section_ + "/" + row.name);
  layer.line = line.number;
  if (kh == 1 && kw == 1 && sh == 1 && sw == 1) {
    layer.attributes = MatMul{};
  } else {
    Conv2d conv;
    conv.window.kernel_h = static_cast<int>(kh), conv.window.kernel_w = static_cast<int>(kw);
    conv.window.stride_h = static_cast<int>(sh), conv.window.stride_w = static_cast<int>(sw);
    layer.attributes = std::move(conv);
  }
  try {
    Tensor input;
    input.name = layer.name + ".input";
    input.shape = {n, h, w, c};
    input.scale = 0;
    const synthetic::Statistics values = numbers_.input(input);
    layer.inputs = {builder_.input(std::move(input))};
    const Tensor& from = builder_.tensor(layer.inputs[0]);
    Tensor output;
    output.scale = 0;
    output.shape = builder_.shape_of(layer, {filters});
    std::vector<float> scales;
    numbers_.fill(layer, {&from}, {values}, output, quantization::Activation::None, scales);
    if (row.of > 0) synthetic::thin_out(*layer.weights(), static_cast<int>(filters), row.keep, row.of);
    builder_.quantize(layer, output, scales, quantization::Activation::None);
    builder_.add(std::move(layer), std::move(output));
  } catch (const BuildError& error) {
    const Diagnostic& d = error.diagnostics().front();
    complain("E0405", line, line.cells[0], d.message, d.hint);
  }
}

Network Table::load() {
  std::vector<Line> lines = split_lines(text_);
  const auto has_text = [](const Line& l) { return !trim(l.text).empty(); };
  const auto first = std::find_if(lines.begin(), lines.end(), has_text);
  const auto header = first == lines.end() ? std::nullopt : read_header(*first);
  if (!header) {
    const Line none{1, {}, {}};
    const Line& line = first == lines.end() ? none : *first;
    complain("E0402", line, Cell{{}, 1, std::max<int>(1, static_cast<int>(line.text.size()))},
             "this is not the header of a layer table",
             "convolutions: `Layer, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides`; "
             "matrix products: `Layer, M, N, K`");
    throw UserError(diagnostics_.list());
  }
  header_ = *header;
  for (auto line = first + 1; line != lines.end(); ++line) {
    if (options_.interrupted && *options_.interrupted) throw Interrupted("interrupted while reading " + net_.file);
    line->cells = split(line->text, header_.separator);
    while (!line->cells.empty() && line->cells.back().text.empty()) line->cells.pop_back();
    if (line->cells.empty() || line->cells[0].text.rfind('#', 0) == 0) continue;  // blank, or a comment
    if (const std::string problem = name_problem(line->cells[0].text); !problem.empty() && !line->cells[0].text.empty()) {
      complain("E0404", *line, line->cells[0], "the layer's name " + problem);
      continue;
    }
    if (line->cells.size() == 1) {  // a title: the layers below belong to it
      section_ = line->cells[0].text;
      continue;
    }
    Row row;
    if (read_row(*line, row)) add_layer(row);
  }
  if (net_.layers.empty() && diagnostics_.empty()) complain("E0406", *first, Cell{{}, 1, 1}, "the table has no layers");
  if (!diagnostics_.empty()) throw UserError(diagnostics_.list());
  net_.description = std::string(header_.kind == Kind::Gemm ? "Matrix products" : "Convolutions") + " of a layer table (" +
                     std::to_string(net_.layers.size()) + " layers, each with an input of its own)";
  builder_.find_outputs();
  return builder_.take();
}

}  // namespace

Network load_table(const std::string& path, const LoadOptions& options) {
  return load_table_text(read_text_file(path, "E0401", "layer table"), path, options);
}

Network load_table_text(const std::string& text, const std::string& file, const LoadOptions& options) {
  return Table(text, file, options).load();
}

}  // namespace gemel::scalesim
